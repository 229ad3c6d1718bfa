# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of headers against the published schemas: both refuse the same, but for what is told here."""

from __future__ import annotations

import copy
import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dasflex_das.das2_properties import properties_of
from dasflex_das.elements import parse
from dasflex_das.verify_headers import check_header
from dasflex_das.verify_rules import DAS2, DAS3, DOCUMENT

#: The rules that are the schema's; the others are what clients refuse.
SCHEMA = {
    "element", "element-missing", "order", "too-many", "text",
    "attribute-missing", "attribute-unknown", "attribute-alias", "attribute-value", "index-caret",
}  # fmt: skip
XS = "{http://www.w3.org/2001/XMLSchema}"
FILES = {
    "das2": "das-basic-stream-v2.2.xsd",
    "das3": "das-basic-stream-v3.0.xsd",
    "document": "das-basic-doc-ns-v3.0.xsd",
}

DATASET = """<dataset rank="3" name="a" index="*;*;4" plot="polar">
<properties><p name="label" type="stringArray" term=";" units="m">x;y<alt lang="de">u</alt></p></properties>
<extension scheme="s" content="c" more="m"><own/></extension>
<coord physDim="time" name="time" axis="x" annotation="y" frame="f">
<scalar use="reference" semantic="datetime" storage="struct" units="UTC" index="*;-;-"><packet numItems="1" itemBytes="24" encoding="utf8" fill="a"/></scalar>
<scalar use="offset" semantic="real" storage="float" units="s" index="-;*;-"><sequence minval="0" interval="-;0.1;-"/></scalar>
<scalar semantic="real" units="s" index="-;-;4"><properties/><values valTerm=";">1;2;3;-4e5</values></scalar>
</coord>
<data physDim="E" name="e" frame="f">
<vector semantic="real" units="" index="-;-;4" components="2" system="cartesian" sysorder="0;1" surface="0" frame="f"><sequence minval="0" interval="1"/><sequence minval="2031-04-02" interval="1"/></vector>
<scalar use="max" semantic="string" units="" index="*;*;4"><packet numItems="*" itemBytes="*" encoding="utf8" valTerm=";" idxTerm="$,!" trim="true" mime="a"/></scalar>
</data>
<extData name="o"><object scheme="s" objType="o" index="*" content="c"><packet numItems="*" itemBytes="3" encoding="blob"/></object></extData>
</dataset>"""
STREAM = """<stream type="das-basic-stream" version="3.0" lang="en"><properties><p name="a">b</p></properties>
<frame name="f" fixed="true" body="EARTH"><properties/></frame><extension scheme="a" content="b"/></stream>"""
HEADERS = [
    DATASET,
    STREAM,
    '<comment type="log:info" source="a" b="c">text</comment>',
    '<exception type="QueryError">t</exception>',
]
PACKET = """<packet><properties String:title="a"/><x type="sun_real8" units="us2000" name=""/>
<y type="ascii10" units="V" name="a"><properties double:yFill="1"/></y><z type="time24" units="" name="b.min"/>
<yscan name="c" type="little_endian_real4" nitems="2" yUnits="Hz" zUnits="V" yTags="1,2" yTagMin="0" yTagInterval="1"/></packet>"""
HEADERS2 = [
    PACKET,
    '<stream version="2.2" compression="none"><properties Datum:xTagWidth="1 s"/></stream>',
    '<comment type="a" source="b" value="c"/>',
    '<exception type="a" message="b"/>',
]
#: Values that attributes get.
VALUES = [
    "", "a", "1", "0", "-1", " 1 ", "*", "-", "^", "*;3", "-;^", "*;-;4", "1;2", "x", "x;y", "true", "T", "yes", "3.0", "2.2", "9",
    "center", "max", "real", "blob", "pixel", "utf8", "LEint", "none", "float", "double", "cartesian", "polar:movie", "\\n", "\\n,!",
    "$", "ab", "a b", "a.b-c:d", "1e5", "2031-092T01:02", "0;0;0;0", "time0", "time5", "ascii99", "deflate", "en", "das-basic-doc", "1,2",
]  # fmt: skip


@cache
def schema(folder, form):
    return etree.XMLSchema(etree.parse(str(folder / FILES[form])))


def names(rules):
    return {
        tag: (set(rule.attributes), {tag for group in rule.children for tag in group.tags})
        for tag, rule in rules.items()
    }


@pytest.fixture(scope="session")
def schemas(test_data):
    return test_data / "schema"


def published(path):
    """Elements of a schema by tag: their attributes, those that are required, and their children."""
    root = etree.parse(str(path)).getroot()
    types = {each.get("name"): each for each in root.iter(f"{XS}complexType") if each.get("name")}
    found = {}

    def walk(tag, kind):
        attributes = {each.get("name"): each.get("use") == "required" for each in kind.iter(f"{XS}attribute")}
        children = list(kind.iter(f"{XS}element"))
        known = found.setdefault(tag, ({}, set()))
        fresh = known == ({}, set())
        known[0].update(attributes)
        known[1].update(each.get("name") for each in children)
        for each in children if fresh else ():
            walk(each.get("name"), types[each.get("type")])

    for each in root.findall(f"{XS}element"):
        walk(each.get("name"), types[each.get("type")] if each.get("type") else each.find(f"{XS}complexType"))
    return found


@pytest.mark.parametrize(("form", "rules"), [("das3", DAS3), ("document", DOCUMENT)])
def test_elements_attributes_and_what_is_required_are_those_of_the_das3_schemas(schemas, form, rules):
    """`dataset` requires an id in documents; `extension` and messages take any attribute."""
    for tag, (attributes, children) in published(schemas / FILES[form]).items():
        rule = rules[tag]
        assert set(rule.attributes) == set(attributes), tag
        assert {name for name, each in rule.attributes.items() if each.required} == {
            name for name, required in attributes.items() if required
        }, tag
        assert {child for group in rule.children for child in group.tags} == children, tag
    assert set(rules) == set(published(schemas / FILES[form]))


def test_planes_and_their_attributes_are_those_of_the_das2_schema(schemas):
    """But for the properties, which that schema has in another form, and `group`, which das2C writes."""
    for tag, (attributes, children) in published(schemas / FILES["das2"]).items():
        if tag not in ("p", "properties"):
            assert set(DAS2[tag].attributes) - {"group"} == set(attributes), tag
            assert {child for group in DAS2[tag].children for child in group.tags} == children, tag
            required = {name for name, each in DAS2[tag].attributes.items() if each.required}
            assert required == {name for name, needed in attributes.items() if needed}, tag


def by_schema(folder, form, root):
    return schema(folder, form).validate(etree.fromstring(etree.tostring(root)))


def by_rules(body, form):
    return [each for each in check_header(body, form)[1] if each.rule in SCHEMA or each.verdict == "fault"]


@st.composite
def changed(draw, headers):
    """A header with up to three changes: of attributes, values, children, and text."""
    root = etree.fromstring(re.sub(r"(?<=[\s])([A-Za-z]+):(?=[A-Za-z]+=)", r"\1__", draw(st.sampled_from(headers))))
    for _change in range(draw(st.integers(0, 3))):
        each = draw(st.sampled_from([element for element in root.iter() if isinstance(element.tag, str)]))
        name = draw(st.sampled_from([*each.attrib, "foo", "valSep"]))
        what = draw(st.integers(0, 6))
        if each.tag in ("properties", "p", "alt", "own") and headers is HEADERS2:
            continue
        if what == 0:
            each.attrib.pop(name, None)
        elif what <= 2:
            each.set(name, draw(st.sampled_from(VALUES)))
        elif what == 3 and each.getparent() is not None:
            each.getparent().remove(each)
        elif what == 4 and each.getparent() is not None:
            each.addnext(copy.deepcopy(each))
        elif what == 5 and len(each):
            each.append(each[0])
        elif what == 6:
            each.text = draw(st.sampled_from(["", "1 2", "a"]))
    return root


def stricter(root):
    """What das2C does not know, and the rules therefore do not have: roles of the schema, and a 13th frame."""
    return any(each.get("use") in ("average", "count") for each in root.iter() if isinstance(each.tag, str))


@settings(max_examples=600, deadline=None)
@given(root=changed(HEADERS))
def test_a_das3_header_breaks_the_rules_if_and_only_if_the_schema_refuses_it(schemas, root):
    body = etree.tostring(root, encoding="utf-8")
    wrong = by_rules(body, "das3")
    assert by_schema(schemas, "das3", root) == (not wrong) or stricter(root), (
        body,
        wrong,
        schema(schemas, "das3").error_log,
    )


def as_elements(root):
    """A das2 header with its properties as the schema has them: one element each."""
    root = copy.deepcopy(root)
    for each in root.iter("properties"):
        for name, text in list(each.attrib.items()):
            kind, _mark, plain = name.rpartition("__")
            entry = etree.SubElement(each, "p", name=plain or name, type=kind or "String")
            entry.text = text
            del each.attrib[name]
    return root


@settings(max_examples=400, deadline=None)
@given(root=changed(HEADERS2))
def test_a_das2_header_breaks_the_rules_if_and_only_if_the_schema_refuses_it(schemas, root):
    body = etree.tostring(root, encoding="utf-8").replace(b"__", b":")
    wrong = by_rules(body, "das2")
    deflated = root.get("compression") == "deflate"
    assert by_schema(schemas, "das2", as_elements(root)) == (not wrong) or deflated, (
        body,
        wrong,
        schema(schemas, "das2").error_log,
    )


def headers(path):
    """The XML of all headers of a real das3 stream."""
    data = path.read_bytes()
    return [body for _tag, body in packets(data)]


def packets(data):
    at = 0
    while at < len(data):
        found = re.compile(rb"\|(..)\|([0-9]*)\|([0-9]+)\|").match(data, at)
        if not found:
            return
        at = found.end() + int(found[3])
        if found[1] in (b"Sx", b"Hx", b"Cx", b"Ex"):
            yield found[1], data[found.end() : at].strip()


def test_real_headers_break_the_rules_if_and_only_if_the_schema_refuses_them(test_data, schemas):
    files = [*sorted((test_data / "das3").glob("*.d3[bt]")), *sorted((test_data / "handmade").glob("*.d3?"))]
    assert len(files) > 25
    for path in files:
        for body in headers(path):
            root = etree.fromstring(body)
            for each in root.iter():
                if isinstance(each.tag, str):
                    each.tag = etree.QName(each).localname
            for name in [name for name in root.attrib if name.startswith("{")]:
                del root.attrib[name]
            etree.cleanup_namespaces(root)
            plain = etree.fromstring(etree.tostring(root))
            assert by_schema(schemas, "das3", plain) == (not by_rules(body, "das3")), (path.name, body[:200])


def test_the_types_of_das2_properties_are_those_of_the_schema(schemas):
    from dasflex_das.verify_rules import PROPERTY_TYPES

    tree = etree.parse(str(schemas / FILES["das2"]))
    kinds = tree.findall(f".//{XS}simpleType[@name='PropType']//{XS}enumeration")
    assert {each.get("value") for each in kinds} == PROPERTY_TYPES
    for kind in PROPERTY_TYPES:
        [found] = properties_of(parse(f'<stream><properties {kind}:a="1"/></stream>'.encode(), "it"))
        assert found.type == kind
