"""Rule packs: what loads, what is refused and how it is said, what is not active."""

import json
from importlib.resources import files

import pytest

from gateway.alerting.loading import (
    MAX_PACK_BYTES,
    PackError,
    default_pack,
    parse_pack,
    require_approval,
)
from gateway.alerting.repertoire import Repertoire
from gateway.errors import ConfigurationError

TEXT = files("gateway.alerting.packs").joinpath("default.json").read_text("utf-8")


def changed(rule: str, **fields: object) -> str:
    """The default pack's text with fields of one rule replaced."""
    data = json.loads(TEXT)
    found = next(r for r in data["rules"] if r["id"] == rule)
    for name, value in fields.items():
        if value is None:
            del found[name]
        else:
            found[name] = value
    return json.dumps(data, ensure_ascii=False, indent=1)


def line_of(text: str, rule: str, key: str) -> int:
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if f'"id": "{rule}"' in line)
    return next(
        i + 1 for i, line in enumerate(lines) if i >= start and f'"{key}":' in line
    )


def test_the_default_pack_loads_whole() -> None:
    pack = default_pack()
    assert len(pack.rules) == 58
    levels = [rule.level for rule in pack.rules]
    assert {name: levels.count(name) for name in set(levels)} == {
        "high": 14,
        "medium": 19,
        "low": 16,
        "info": 9,
    }
    assert all(rule.title.zh and rule.title.en for rule in pack.rules)


def test_every_rule_runs_or_says_why_not() -> None:
    pack = default_pack()
    rules = Repertoire(pack)
    active = {rule.id for rule in rules.rules}
    inactive = {entry.rule: entry.reason for entry in rules.inactive}
    assert active | set(inactive) == {rule.id for rule in pack.rules}
    assert not active & set(inactive)
    assert all(r.startswith("not active: ") for r in inactive.values())
    assert inactive["cgm.high"] == "not active: needs hold"
    assert inactive["bp.suspect_new_hypertension"] == "not active: needs distinct_days"
    assert inactive["weight.hf_gain_1d"].startswith("not active: needs gain_1d")
    assert inactive["news2.high"] == "not active: needs composite"


def test_every_single_and_repeat_rule_over_one_reading_runs() -> None:
    rules = Repertoire(default_pack())
    active = {rule.id for rule in rules.rules}
    for rule in rules.pack.rules:
        simple = rule.persistence.mode in {"single", "repeat", "either"}
        own = all(
            term.field in {"value", "special", "systolic", "diastolic"}
            for term in rule.condition.terms
        )
        if simple and own:
            assert rule.id in active


def test_reservations_only_ever_alert_more() -> None:
    by_id = Repertoire(default_pack()).by_id
    assert by_id["bp.low_critical"].reservations
    assert by_id["bp.crisis"].reservations == ()


def test_inhibitors_come_before_what_they_hide() -> None:
    rules = Repertoire(default_pack())
    order = [rule.id for rule in rules.rules]
    for rule in rules.rules:
        for other in rule.inhibitors & set(order):
            assert order.index(other) < order.index(rule.id)


def test_a_circle_of_inhibition_still_has_an_order() -> None:
    text = changed("bp.grade2", inhibits=["bp.crisis", "bp.office_high"])
    rules = Repertoire(parse_pack(text, name="circle"))
    assert len(rules.rules) == len(Repertoire(default_pack()).rules)


BAD: list[tuple[str, dict[str, object], str, str]] = [
    ("bp.crisis", {"level": "urgent"}, "level", "level"),
    ("bp.crisis", {"levle": "high"}, "levle", "levle"),
    ("bp.crisis", {"source": None}, "source", "id"),
    ("bp.crisis", {"reading": "blood_presure"}, "reading", "reading"),
    ("bp.crisis", {"inhibits": ["bp.nothing"]}, "inhibits", "inhibits"),
    ("bp.crisis", {"inhibits": ["bp.*"]}, "inhibits", "inhibits"),
    ("bp.crisis", {"clear": {"below": {"systolic": 190}}}, "clear", "clear"),
    ("bp.crisis", {"clear": {"below": {"pulse": 90}}}, "clear", "clear"),
    ("bp.crisis", {"clear": {"readings": 2}}, "clear", "clear"),
    ("hr.critical", {"clear": {"between": {"low": 40, "high": 120}}}, "clear", "clear"),
    (
        "spo2.low",
        {"condition": {"any": [{"field": "value", "op": "<=", "value": 93}]}},
        "unit",
        "id",
    ),
    (
        "spo2.low",
        {"condition": {"any": [{"field": "value", "op": "<=", "value": "93 %"}]}},
        "condition.any.0",
        "any",
    ),
    ("spo2.low", {"condition": {}}, "condition", "condition"),
    (
        "bp.low",
        {
            "persistence": {
                "mode": "repeat",
                "n": 2,
                "within_s": 60,
                "min_gap_s": 60,
                "aggregate": "all",
                "unconfirmed_level": "none",
            }
        },
        "persistence.repeat",
        "persistence",
    ),
    (
        "bp.low",
        {"persistence": {"mode": "m_of_n", "m": 4, "n": 3, "within_days": 1}},
        "persistence.m_of_n",
        "persistence",
    ),
    ("bp.low", {"persistence": {"mode": "sometimes"}}, "persistence", "persistence"),
]


@pytest.mark.parametrize(("rule", "fields", "field", "line_key"), BAD)
def test_an_error_names_line_rule_and_field(
    rule: str, fields: dict[str, object], field: str, line_key: str
) -> None:
    text = changed(rule, **fields)
    with pytest.raises(PackError) as caught:
        parse_pack(text, name="bad.json")
    problem = caught.value.problems[0]
    assert problem.rule == rule
    assert problem.field.startswith(field)
    assert problem.line == line_of(text, rule, line_key)
    assert f"line {problem.line}: rule {rule}: {problem.field}" in str(caught.value)


def test_a_rule_used_twice() -> None:
    data = json.loads(TEXT)
    data["rules"].append(data["rules"][0])
    with pytest.raises(PackError, match=r"bp\.extreme: id: is used twice"):
        parse_pack(json.dumps(data), name="twice.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', "null", "3"])
def test_what_is_no_pack(text: str) -> None:
    with pytest.raises(PackError):
        parse_pack(text, name="none.json")


def test_json_errors_name_the_line() -> None:
    with pytest.raises(PackError, match="line 3: file"):
        parse_pack('{\n "schema": 1,\n "id" 2}', name="broken.json")


def test_rules_that_are_no_objects() -> None:
    data = json.loads(TEXT)
    data["rules"][1] = 7
    with pytest.raises(PackError, match="rule #2"):
        parse_pack(json.dumps(data), name="odd.json")


def test_a_pack_is_bounded() -> None:
    with pytest.raises(PackError, match="larger than"):
        parse_pack(" " * (MAX_PACK_BYTES + 1), name="big.json")


def test_production_needs_an_approver() -> None:
    with pytest.raises(ConfigurationError, match="approved_by"):
        require_approval(default_pack())
    data = json.loads(TEXT)
    data["approved_by"] = "Medical lead (invented)"
    pack = parse_pack(json.dumps(data), name="approved.json")
    assert require_approval(pack) is pack


def test_a_repeat_of_three_is_listed_and_not_misread() -> None:
    persistence = json.loads(TEXT)["rules"][1]["persistence"] | {"n": 3}
    rules = Repertoire(
        parse_pack(changed("bp.crisis", persistence=persistence), name="three")
    )
    reasons = {entry.rule: entry.reason for entry in rules.inactive}
    assert reasons["bp.crisis"] == "not active: needs repeat with n=3"
