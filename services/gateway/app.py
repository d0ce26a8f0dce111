"""The FastAPI application: routes, problems, and what holds for every answer."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from services.gateway.parts import Parts
from services.gateway.problems import SCHEMA, install, refusals

SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "of POST /v1/login"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "ID.SECRET"},
}


def make_app(
    parts: Parts, routers: Iterable[APIRouter], pages: Iterable[APIRouter] = ()
) -> FastAPI:
    """The application over these parts. `routers` are under /v1, `pages` at the root."""
    app = FastAPI(
        title="Chandler",
        version="1",
        summary="Signals in, trading out.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,
        responses=refusals(),
    )
    app.state.parts = parts
    install(app)
    for router in routers:
        app.include_router(router, prefix="/v1")
    for router in pages:
        app.include_router(router)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            components = made.setdefault("components", {})
            components.setdefault("schemas", {})["Problem"] = SCHEMA
            components["securitySchemes"] = SCHEMES
            for operation in (each for path in made["paths"].values() for each in path.values()):
                if {"401", "403"} <= operation["responses"].keys():  # it asks who calls
                    operation["security"] = [{name: []} for name in SCHEMES]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app
