"""Checks dashboards against Grafana's own words: its TypeScript types, and its SDK's round trip.

dashboards.py types FOLDER: writes dashboards.ts there, a constant for each panel, for tsc --strict.
dashboards.py sdk: decodes and encodes each with the SDK; what is lost or changed is a fault, what
the SDK adds are defaults. Each catches what the other misses.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BOARDS = Path("grafana/dashboards")
# A panel's type → module of its options, and whether it has settings for fields.
PANELS = {
    "heatmap": ("heatmap/panelcfg/x/HeatmapPanelCfg", True),
    "stat": ("stat/panelcfg/x/StatPanelCfg", False),
    "table": ("table/panelcfg/x/TablePanelCfg", True),
    "timeseries": ("timeseries/panelcfg/x/TimeSeriesPanelCfg", True),
}
# The SDK knows the targets of Grafana's own annotations; ours are queries of a data source.
NOT_IN_SDK = re.compile(r"annotations\.list\[\d+\]\.target\.(editorMode|format|raw\w+|refId)")
TYPES = """\
// An enumeration's values as JSON has them; what isn't given has a default.
type Json<T> = 0 extends 1 & T ? T
  : T extends string ? `${T}`
  : T extends object ? {[K in keyof T]: Json<T[K]>}
  : T;
type Given<T> = 0 extends 1 & T ? T
  : T extends string ? `${T}`
  : T extends Array<infer U> ? Array<Given<U>>
  : T extends object ? {[K in keyof T]?: Given<T[K]>}
  : T;
type Of<Name extends string, Options, Custom> =
  Json<Omit<dashboard.Panel, "type" | "options" | "fieldConfig">> & {
    type: Name;
    options: Given<Options>;
    fieldConfig: {
      defaults: Json<Omit<dashboard.FieldConfig, "custom">> & {custom: Given<Custom>};
      overrides: Json<dashboard.FieldConfigSource["overrides"]>;
    };
  };
type Row = Json<dashboard.RowPanel>;
type Board = Json<Omit<dashboard.Dashboard, "panels" | "annotations" | "templating">>;
type Variable = Json<dashboard.VariableModel>;
type Annotation = Json<Omit<dashboard.AnnotationQuery, "target">> & {
  target: Record<string, unknown>;
};
"""


def boards() -> dict[str, Any]:
    """Each dashboard by its name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(BOARDS.glob("*.json"))}


def typescript(found: dict[str, Any]) -> tuple[str, int]:
    """The program that is right if the dashboards are, and how many panels it holds."""
    raw = "@grafana/schema/dist/types/raw"
    lines = [f'import type * as dashboard from "{raw}/dashboard/x/dashboard_types.gen.d.ts";']
    for name, (module, _) in PANELS.items():
        lines.append(f'import type * as {name} from "{raw}/composable/{module}_types.gen.d.ts";')
    lines.append(TYPES)
    count = 0
    for name, board in found.items():
        lines.append(_constant(f"{name}_board", "Board", _without(board)))
        for number, each in enumerate(board["annotations"]["list"]):
            lines.append(_constant(f"{name}_annotation_{number}", "Annotation", each))
        lines += [
            _constant(f"{name}_variable_{each['name']}", "Variable", each)
            for each in board["templating"]["list"]
        ]
        lines += [
            _constant(f"{name}_panel_{panel['id']}", _type_of(panel), panel)
            for panel in board["panels"]
        ]
        count += len(board["panels"])
    return "\n".join(lines), count


def _without(board: Any) -> Any:
    """A dashboard's own fields; its parts are constants of their own."""
    return {
        key: value
        for key, value in board.items()
        if key not in ("panels", "annotations", "templating")
    }


def _type_of(panel: Any) -> str:
    kind = panel["type"]
    if kind == "row":
        return "Row"
    if kind not in PANELS:
        raise SystemExit(f"a panel of type {kind}: add it to PANELS in deploy/dashboards.py")
    custom = f"{kind}.FieldConfig" if PANELS[kind][1] else "Record<string, never>"
    return f'Of<"{kind}", {kind}.Options, {custom}>'


def _constant(name: str, kind: str, value: Any) -> str:
    return f"export const {name}: {kind} = {json.dumps(value, indent=1)};"


def lost(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """What `after` lacks or has otherwise."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in after:
                yield f"{place}.{key} is unknown"
            else:
                yield from lost(value, after[key], f"{place}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{place}[{number}]")
    elif before != after:
        yield f"{place}: {before!r} comes back as {after!r}"


def round_trip(found: dict[str, Any]) -> list[str]:
    """Faults of all dashboards."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    faults: list[str] = []
    for name, board in found.items():
        after = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
        faults += [
            f"{name}: {fault}"
            for fault in (each.removeprefix(".") for each in lost(board, after))
            if not NOT_IN_SDK.match(fault)
        ]
    return faults


def main(words: list[str]) -> int:
    """Status 1 if one is wrong, or there is none."""
    found = boards()
    if words[:1] == ["types"]:
        text, panels = typescript(found)
        (Path(words[1]) / "dashboards.ts").write_text(text)
        sys.stdout.write(f"dashboards={len(found)} panels={panels}\n")
        return 0 if panels else 1
    faults = round_trip(found)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    sys.stdout.write(f"round_trips={len(found)} faults={len(faults)}\n")
    return 1 if faults or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
