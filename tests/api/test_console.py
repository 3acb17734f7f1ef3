"""The pages hold nothing for who is not signed in, and obey their own policy."""

import json
import re
from pathlib import Path

import httpx
import pytest

import api.console
from api.console.i18n import catalogue
from api.console.pages import STATIC_PATH, local_path
from tests.api.world import World

HERE = Path(api.console.__file__).parent
SCRIPTS = sorted((HERE / "static" / "js").glob("*.js"))
TEMPLATES = sorted((HERE / "templates").glob("*.html"))


def client(world: World) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=world.app)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.parametrize("path", ["/", "/residents", "/residents/r-1", "/stations"])
async def test_a_page_sends_the_signed_out_to_the_login(
    world: World, path: str
) -> None:
    async with client(world) as browser:
        answer = await browser.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={path}"


@pytest.mark.parametrize(("language", "text"), [("en", "Sign in"), ("zh", "登录")])
async def test_the_login_page_speaks_both_languages(
    world: World, language: str, text: str
) -> None:
    async with client(world) as browser:
        answer = await browser.get("/login", params={"lang": language})
    assert answer.status_code == 200
    assert f"<h1>{text}</h1>" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_static_files_are_immutable(world: World) -> None:
    async with client(world) as browser:
        answer = await browser.get(f"{STATIC_PATH}/js/worklist.js")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil", "https://evil", ""])
def test_only_local_paths_are_followed(target: str) -> None:
    assert local_path(target) == "/"


def test_both_languages_have_the_same_keys() -> None:
    assert catalogue("en").keys() == catalogue("zh").keys()


def test_every_rule_has_a_title() -> None:
    pack = HERE.parents[1] / "gateway" / "alerting" / "packs" / "default.json"
    ids = re.findall(r'"id": "([a-z0-9_.]+)"', pack.read_text("utf-8"))
    titles = {
        key.removeprefix("rule.") for key in catalogue("en") if key[:5] == "rule."
    }
    assert titles >= {id_ for id_ in ids if "." in id_}


@pytest.mark.parametrize("path", [*SCRIPTS, *TEMPLATES], ids=lambda p: p.name)
def test_every_text_exists(path: Path) -> None:
    used = re.findall(r"""\bt\(\s*["']([a-z][\w.-]*)["']""", path.read_text("utf-8"))
    assert {u for u in used if not u.endswith(".")} <= catalogue("en").keys()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_no_script_builds_markup_from_text(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(", text)
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"\son\w+=|\sstyle=|<style", text)
    for tag in re.findall(r"<script[^>]*>", text):
        assert "src=" in tag or 'type="application/json"' in tag


def test_the_catalogues_are_flat_text() -> None:
    for language in ("en", "zh"):
        path = HERE / "locales" / f"{language}.json"
        texts = json.loads(path.read_text("utf-8"))
        assert all(isinstance(text, str) for text in texts.values())
