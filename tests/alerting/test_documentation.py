"""``docs/alerting.md`` says what the code does."""

from pathlib import Path

import msgspec

from gateway.alerting.feed import AlertFeed
from gateway.alerting.publisher import AlertPublisher
from gateway.alerting.repertoire import Repertoire
from gateway.alerting.rule_table import markdown
from gateway.clock import ManualClock
from gateway.database.engine import Database
from gateway.model.alert import AlertChange
from tests.alerting.build import START, Bed, single
from tests.alerting.test_invariants import CHANGES
from tests.alerting.test_publisher import FlakyBus

DOCUMENT = Path(__file__).parents[2] / "docs" / "alerting.md"
BEGIN = "<!-- rules: begin -->\n"
END = "<!-- rules: end -->"


def section(text: str, begin: str, end: str) -> str:
    return text.split(begin, 1)[1].split(end, 1)[0]


def test_the_table_of_rules(rules: Repertoire) -> None:
    text = DOCUMENT.read_text("utf-8")
    assert section(text, BEGIN, END).strip() == markdown(rules).strip(), (
        "replace the table by gateway.alerting.rule_table.markdown"
    )


def test_every_change_is_explained() -> None:
    text = DOCUMENT.read_text("utf-8")
    for change in CHANGES | {"accepted"}:
        assert f"| `{change}` |" in text


async def test_the_example_message_has_the_fields_of_a_real_one(
    database: Database, rules: Repertoire
) -> None:
    text = DOCUMENT.read_text("utf-8")
    example = msgspec.json.decode(section(text, "```json\n", "```"))
    bed = Bed(rules)
    (event,) = bed.give(single("glucose_capillary", "2.5"))
    publisher = AlertPublisher(
        database, FlakyBus(), ManualClock(START), feed=AlertFeed(), site="site-a"
    )
    change = AlertChange(seq=1, change=event.change, at=START, alert=event.alert)
    real = msgspec.json.decode(publisher.payload(change))
    assert example.keys() == real.keys()
    assert example["evidence"][0].keys() == real["evidence"][0].keys()
