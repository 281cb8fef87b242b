# SPDX-License-Identifier: GPL-3.0-or-later
"""What a MessageId means: its forms, the version that fits, the arguments."""

import json

import pytest
from event_listener.event import Category, Level
from event_listener.message_registry import InvalidRegistryError, Message, Reference, fitting, parse, reference
from event_listener.normalise.redfish import normalise
from event_listener.registry_catalogue import Cached, Catalogue
from hypothesis import given
from hypothesis import strategies as st

CABLE = {
    "@odata.type": "#MessageRegistry.v1_6_2.MessageRegistry",
    "Id": "NetworkDevice.1.0.3",
    "RegistryPrefix": "NetworkDevice",
    "RegistryVersion": "1.0.3",
    "Language": "en",
    "OwningEntity": "DMTF",
    "Messages": {
        "CableRemoved": {
            "Description": "A cable was removed.",
            "Message": "A cable has been removed from network adapter '%1' port '%2'.",
            "MessageSeverity": "Warning",
            "Severity": "OK",
            "NumberOfArgs": 2,
            "Resolution": "None.",
        }
    },
}
REMOVED = Message("A cable has been removed from network adapter '%1' port '%2'.", "Warning", "None.")


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [
        ("NetworkDevice.1.0.CableRemoved", Reference("NetworkDevice", (1, 0, None), "CableRemoved")),
        ("NetworkDevice.1.0.3.CableRemoved", Reference("NetworkDevice", (1, 0, 3), "CableRemoved")),
        (" NetworkDevice.1.0.3.CableRemoved. ", Reference("NetworkDevice", (1, 0, 3), "CableRemoved")),
        ("#NetworkDevice.v1_0_3.CableRemoved", Reference("NetworkDevice", (1, 0, 3), "CableRemoved")),
        ("NetworkDevice.CableRemoved", Reference("NetworkDevice", None, "CableRemoved")),
        ("IDRAC.2.8.SYS1003", Reference("IDRAC", (2, 8, None), "SYS1003")),
        ("SYS1003", Reference("", None, "SYS1003")),
        ("OpenBMC.0.1.Sensor.Low", Reference("OpenBMC", (0, 1, None), "Sensor.Low")),
        ("1003", Reference("", None, "1003")),
        ("", Reference("", None, "")),
    ],
)
def test_message_ids_in_their_forms(message_id, expected):
    """Registry, version and key are found however a BMC writes them."""
    assert reference(message_id) == expected


@given(st.text())
def test_any_text_is_a_message_id(text):
    """Whatever a BMC sends as MessageId, looking it up doesn't fail."""
    assert isinstance(reference(text), Reference)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((1, 2, 1), [(1, 2, 1), (1, 2, 7), (1, 9, 0), (1, 1, 0)]),
        ((1, 2, None), [(1, 2, 7), (1, 2, 1), (1, 9, 0), (1, 1, 0)]),
        ((1, 3, None), [(1, 9, 0), (1, 2, 7), (1, 2, 1), (1, 1, 0)]),
        ((3, 0, None), []),
        (None, [(2, 0, 0), (1, 9, 0), (1, 2, 7), (1, 2, 1), (1, 1, 0)]),
    ],
)
def test_the_version_that_fits(wanted, expected):
    """Exact, else the same minor, else the same major with the greatest minor, never another major."""
    assert fitting(wanted, [(1, 1, 0), (1, 2, 1), (1, 2, 7), (1, 9, 0), (2, 0, 0)]) == expected


def test_a_registry_is_condensed():
    """Text, severity (the newer property first) and resolution are kept; condensed, it parses to the same."""
    found = parse(CABLE)
    assert (found.registry, found.version, found.language, found.owner) == ("NetworkDevice", "1.0.3", "en", "DMTF")
    assert found.messages == {"CableRemoved": REMOVED}
    assert parse(json.loads(json.dumps(found.document()))) == found
    assert parse({**CABLE, "Messages": {}}).digest != found.digest


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "with Messages"),
        ({"Messages": []}, "with Messages"),
        ({**CABLE, "RegistryPrefix": "../x"}, "RegistryPrefix"),
        ({**CABLE, "RegistryVersion": "newest"}, "RegistryVersion"),
        ({"RegistryPrefix": "A", "Messages": {}}, "RegistryVersion"),
        ({**CABLE, "Messages": {str(n): {} for n in range(50_001)}}, "more than"),
    ],
)
def test_what_is_no_registry_is_refused(document, why):
    """Each reason is said."""
    with pytest.raises(InvalidRegistryError, match=why):
        parse(document)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["Messages", "Message", "Id", "a"]), inner),
    )
)
def test_any_json_parses_or_is_refused(document):
    """No document of a BMC makes the parser fail in another way."""
    try:
        parse(document)
    except InvalidRegistryError:
        pass
    else:
        assert isinstance(document, dict)


def test_arguments_are_put_in():
    """Missing ones stay visible, %10 isn't %1 and a zero, and an argument that looks like one is left as it is."""
    assert Message("%1 and %2").filled(["%2", "b"]) == "%2 and b"
    assert Message("%1 and %2").filled(["a"]) == "a and %2"
    assert Message("%10 %1").filled([str(n) for n in range(1, 11)]) == "10 1"
    assert Message("100% of %0 %").filled(["a"]) == "100% of %0 %"


def catalogue(texts, makes=None):
    """Of registries given as {(digest, name, version): {key: text}}."""
    known = {digest: {key: Message(text) for key, text in found.items()} for (digest, *_), found in texts.items()}
    return Catalogue([Cached(*key) for key in texts], makes, known.__getitem__)


def test_what_a_make_says_goes_first():
    """Two vendors' registries of one name and version don't explain each other's messages."""
    found = catalogue(
        {("d1", "OEM", "1.0.0"): {"A": "one", "B": "b"}, ("d2", "OEM", "1.0.0"): {"A": "two", "B": "b"}},
        {"first": frozenset({"d1"}), "second": frozenset({"d2"})},
    )
    assert found.find("first", "OEM.1.0.A") == Message("one")
    assert found.find("second", "OEM.1.0.A") == Message("two")
    assert found.find("third", "OEM.1.0.A") is None, "they disagree"
    assert found.find("third", "OEM.1.0.B") == Message("b")
    assert found.find("second", "A") == Message("two"), "a bare key"
    assert found.find("second", "OEM.2.0.A") is None, "another major"


def test_a_later_minor_helps_where_an_earlier_lacks_the_key():
    """Minor versions only add messages."""
    found = catalogue({("d1", "R", "1.0.0"): {"A": "old"}, ("d2", "R", "1.4.0"): {"A": "new", "B": "later"}})
    assert found.find("", "R.1.0.A") == Message("old")
    assert found.find("", "R.1.0.B") == Message("later")
    assert found.find("", "R.1.2.A") == Message("new")


def fill(**record):
    body = json.dumps({"Events": [record]}).encode()
    return normalise(body, lambda message_id: REMOVED if message_id.endswith("CableRemoved") else None).records[0]


def test_a_record_with_its_id_only_is_filled():
    """Message, severity and resolution come from the registry, category and level follow, the record stays as sent."""
    sent = {"MessageId": "NetworkDevice.1.0.3.CableRemoved", "MessageArgs": ["1", 2]}
    found = fill(**sent)
    assert found.message == "A cable has been removed from network adapter '1' port '2'."
    assert (found.severity, found.level, found.category) == ("Warning", Level.WARN, Category.ALERT)
    assert found.resolution == "None."
    assert found.filled == ("message", "severity", "resolution")
    assert found.record == sent


def test_what_a_record_says_itself_is_kept():
    """Only what is left out or empty is filled in."""
    found = fill(MessageId="A.1.0.CableRemoved", Message="mine", Severity="OK", Resolution="")
    assert (found.message, found.severity, found.resolution) == ("mine", "OK", "None.")
    assert found.filled == ("resolution",)
    assert fill(MessageId="A.1.0.Other").filled == ()
    assert fill(MessageId="A.1.0.Other", Resolution="Do it.").resolution == "Do it."
