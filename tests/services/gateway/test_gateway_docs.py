"""The page at /v1/docs shows every route, and loads nothing."""

from html.parser import HTMLParser
from pathlib import Path

from services.gateway.routes.docs import page_of
from tests.services.gateway.stand_in import Door, asked


class Read(HTMLParser):
    """What a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_every_route_is_on_the_page_and_nothing_is_loaded(tmp_path: Path) -> None:
    app = Door(tmp_path, "anna").app
    answer = await asked(app, "/v1/docs")
    read = Read()
    read.feed(answer.raw.decode())

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in read.text
    assert not read.tags & {"script", "link", "img", "iframe", "style"}
    assert not read.attributes & {"style", "onclick", "onload", "src"}
    assert all(each.startswith("#") or each == "openapi.json" for each in read.links)


def test_words_in_a_document_are_words() -> None:
    evil = "<script>x</script>"
    page = page_of(
        {
            "paths": {
                f"/{evil}": {
                    "get": {
                        "tags": [evil],
                        "description": evil,
                        "parameters": [
                            {"name": evil, "in": "query", "schema": {"type": evil, "default": evil}}
                        ],
                        "responses": {"200": {"description": evil}},
                    }
                }
            },
            "components": {
                "schemas": {evil: {"description": evil, "properties": {evil: {"enum": [evil]}}}}
            },
        }
    )
    read = Read()
    read.feed(page)

    assert "script" not in read.tags
    assert read.text.count(evil) >= 9
