// SPDX-License-Identifier: GPL-3.0-or-later
/** Search as you type: asks for the page of the words that stand in the field, and shows the list that is on it. */

const PATIENCE = 180;

const form = /** @type {HTMLFormElement} */ (document.getElementById("search"));
const words = /** @type {HTMLInputElement} */ (document.getElementById("words"));
/** @type {AbortController | undefined} */
let running;
let waiting = 0;

/** Shows what is found now. A search that fails leaves the list as it was; the button still works. */
async function search() {
  running?.abort();
  running = new AbortController();
  const address = `${form.action}?q=${encodeURIComponent(words.value.trim())}`;
  try {
    const answer = await fetch(address, { signal: running.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("found");
    const list = document.getElementById("found");
    if (!answer.ok || !found || !list) return;
    list.replaceChildren(...found.childNodes);
    history.replaceState(null, "", address);
  } catch (error) {
    if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
  }
}

words.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, PATIENCE);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
