// SPDX-License-Identifier: GPL-3.0-or-later
/** A WebSocket that is opened again when it breaks, after a pause that grows, and whose messages are lines of JSON. */

import { reason } from "./plan.js";

/**
 * @typedef {{address: string, plan: string, ticket: string}} Place where to connect, where it is told what is wrong with
 *   a request, and where a ticket is had, blank where none is needed
 * @typedef {{query: () => string, opened: () => void, line: (item: any) => void, told: (text: string) => void,
 *   ended: (text: string) => void}} Listener what asks for data (`query`) and is told what becomes of the connection:
 *   `told` while it goes on, and `ended` when it does not
 */

const FIRST = 1; // seconds before the second attempt
const LONGEST = 30;
const STEADY = 10_000; // milliseconds after which a connection counts as one that held
const NORMAL = 1000;
const POLICY = 1008;

export class LiveSocket {
  /**
   * @param {Place} place
   * @param {Listener} listener
   */
  constructor(place, listener) {
    this.place = place;
    this.listener = listener;
    /** @type {WebSocket | undefined} */
    this.socket = undefined;
    this.wanted = false;
    this.pause = FIRST;
    this.waiting = 0;
    this.turn = 0;
    addEventListener("online", () => this.hurry());
  }

  /** Connects, and stays connected. */
  start() {
    this.stop();
    this.wanted = true;
    this.pause = FIRST;
    this.connect();
  }

  /** Ends the connection. */
  stop() {
    this.wanted = false;
    this.turn += 1;
    clearTimeout(this.waiting);
    this.waiting = 0;
    this.socket?.close(NORMAL);
    this.socket = undefined;
  }

  /** Connects at once where a pause is on. */
  hurry() {
    if (!this.wanted || !this.waiting) return;
    clearTimeout(this.waiting);
    this.connect();
  }

  /** Opens the connection. */
  async connect() {
    this.waiting = 0;
    const turn = (this.turn += 1);
    this.listener.told("Connecting…");
    const query = this.listener.query();
    try {
      const ticket = await this.ticket();
      if (turn !== this.turn) return;
      this.open(turn, `${query}${ticket}`);
    } catch (error) {
      if (turn !== this.turn) return;
      if (error instanceof Refusal) this.give(error.message);
      else this.again("The server does not answer.");
    }
  }

  /** What a query needs for a source that is protected: a ticket. Throws `Refusal` where there is none. */
  async ticket() {
    if (!this.place.ticket) return "";
    const answer = await fetch(this.place.ticket, { cache: "no-store" });
    if (!answer.ok) throw new Refusal(await reason(answer));
    return `&ticket=${encodeURIComponent((await answer.json()).ticket)}`;
  }

  /**
   * Opens the socket of one attempt.
   * @param {number} turn
   * @param {string} query
   */
  open(turn, query) {
    const address = new URL(`${this.place.address}?${query}`, location.href);
    address.protocol = address.protocol.replace(/^http/, "ws");
    const socket = new WebSocket(address.href);
    this.socket = socket;
    let begun = 0;
    socket.addEventListener("open", () => {
      if (turn !== this.turn) return;
      begun = performance.now();
      this.listener.opened();
    });
    socket.addEventListener("message", (event) => {
      if (turn === this.turn) this.message(event.data);
    });
    socket.addEventListener("close", (event) => {
      if (turn !== this.turn) return;
      this.socket = undefined;
      if (begun && performance.now() - begun > STEADY) this.pause = FIRST;
      this.closed(begun > 0, event, query);
    });
  }

  /**
   * Reads a message: lines, each an object.
   * @param {unknown} data
   */
  message(data) {
    for (const line of String(data).split("\n")) {
      if (!line) continue;
      let item;
      try {
        item = JSON.parse(line);
      } catch {
        item = { comment: "log:error", text: "A message could not be read." };
      }
      this.listener.line(item);
    }
  }

  /**
   * Does what a close code asks for (RFC 6455, 7.4).
   * @param {boolean} begun whether the connection was open
   * @param {CloseEvent} event
   * @param {string} query
   */
  async closed(begun, event, query) {
    const why = event.reason ? ` (${event.reason})` : "";
    if (begun && event.code === NORMAL) this.give("The data have ended.");
    else if (begun && event.code === POLICY) this.give(`The server refuses${why}.`);
    else if (begun) this.again(`The connection broke${why}.`);
    else await this.explain(query);
  }

  /**
   * Finds out why there was no connection: a browser tells no script what a server answered.
   * @param {string} query
   */
  async explain(query) {
    const turn = this.turn;
    try {
      const answer = await fetch(`${this.place.plan}?${query.replace(/&ticket=[^&]*/, "")}`, { cache: "no-store" });
      if (turn !== this.turn) return;
      if (answer.status >= 400 && answer.status < 500) this.give(await reason(answer));
      else this.again("The server of live data does not answer, or is busy.");
    } catch {
      if (turn === this.turn) this.again("The server does not answer.");
    }
  }

  /**
   * Tries again later.
   * @param {string} why
   */
  again(why) {
    if (!this.wanted) return;
    this.listener.told(`${why} Connecting again in ${this.pause} s.`);
    this.waiting = setTimeout(() => this.connect(), this.pause * 1000);
    this.pause = Math.min(2 * this.pause, LONGEST);
  }

  /**
   * Gives up.
   * @param {string} why
   */
  give(why) {
    this.stop();
    this.listener.ended(why);
  }
}

/** What the server refuses, in its own words. */
class Refusal extends Error {}
