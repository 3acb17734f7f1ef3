"""The people of the demo: a small practice, plainly invented.

Given names mean "example", "sample", "fictional" and the like. Anything that looks like
a person, a number or an address here was made up.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from simulators.patients import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A resident of the demo; ``id`` is the pseudonym used everywhere."""

    id: str
    name: str
    name_latin: str
    birth_date: date
    sex: str
    conditions: tuple[Condition, ...] = ()


HYPERTENSION = Condition.HYPERTENSION
DIABETES = Condition.DIABETES

RESIDENTS: Final = (
    Person(
        id="r-1001",
        name="王示范",
        name_latin="Wang Shifan",
        birth_date=date(1951, 3, 8),
        sex="male",
        conditions=(HYPERTENSION,),
    ),
    Person(
        id="r-1002",
        name="李样例",
        name_latin="Li Yangli",
        birth_date=date(1947, 11, 20),
        sex="female",
        conditions=(HYPERTENSION, DIABETES),
    ),
    Person(
        id="r-1003",
        name="张演练",
        name_latin="Zhang Yanlian",
        birth_date=date(1958, 6, 2),
        sex="male",
        conditions=(DIABETES,),
    ),
    Person(
        id="r-1004",
        name="刘虚构",
        name_latin="Liu Xugou",
        birth_date=date(1944, 1, 15),
        sex="female",
        conditions=(Condition.COPD,),
    ),
    Person(
        id="r-1005",
        name="陈模拟",
        name_latin="Chen Moni",
        birth_date=date(1969, 9, 27),
        sex="female",
    ),
    Person(
        id="r-1006",
        name="杨假设",
        name_latin="Yang Jiashe",
        birth_date=date(1955, 4, 11),
        sex="male",
        conditions=(HYPERTENSION, Condition.HEART_FAILURE),
    ),
    Person(
        id="r-1007",
        name="赵试用",
        name_latin="Zhao Shiyong",
        birth_date=date(1962, 12, 5),
        sex="male",
    ),
    Person(
        id="r-1008",
        name="黄练习",
        name_latin="Huang Lianxi",
        birth_date=date(1949, 7, 19),
        sex="female",
        conditions=(HYPERTENSION,),
    ),
    Person(
        id="r-1009",
        name="周预演",
        name_latin="Zhou Yuyan",
        birth_date=date(1973, 2, 23),
        sex="female",
        conditions=(DIABETES,),
    ),
    Person(
        id="r-1010",
        name="吴测试",
        name_latin="Wu Ceshi",
        birth_date=date(1940, 10, 30),
        sex="male",
        conditions=(Condition.COPD, HYPERTENSION),
    ),
)
"""Who is measured."""

OTHER_TEAM: Final = (
    Person(
        id="r-2001",
        name="孙范本",
        name_latin="Sun Fanben",
        birth_date=date(1953, 5, 14),
        sex="female",
        conditions=(HYPERTENSION,),
    ),
    Person(
        id="r-2002",
        name="马例子",
        name_latin="Ma Lizi",
        birth_date=date(1960, 8, 9),
        sex="male",
    ),
)
"""Residents of another doctor, whom the demo's doctor must not see."""
