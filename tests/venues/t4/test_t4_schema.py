"""The schema in the tree speaks T4: the documented frames, and nothing that `make proto` wouldn't give."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf import json_format
from grpc_tools import protoc

from strategykit.venues.t4.proto.service_pb2 import ClientMessage, ServerMessage

ROOT: Final = Path(__file__).parents[3]
PROTO: Final = ROOT / "strategykit" / "venues" / "t4" / "proto"
FRAMES: Final = json.loads((ROOT / "tests" / "data" / "t4" / "frames.json").read_text(encoding="utf-8"))["frames"]
ENVELOPES: Final[dict[str, Any]] = {"client": ClientMessage, "server": ServerMessage}


@pytest.mark.parametrize("row", FRAMES, ids=[f"{row['from']}: {row['name']}" for row in FRAMES])
def test_documented_frames_are_read_and_written(row: dict[str, Any]) -> None:
    envelope, frame = ENVELOPES[row["from"]], bytes.fromhex(row["hex"])

    assert json_format.MessageToDict(envelope.FromString(frame), preserving_proto_field_name=True) == row["message"]
    assert json_format.ParseDict(row["message"], envelope()).SerializeToString(deterministic=True) == frame


def test_generating_again_gives_what_is_in_the_tree(tmp_path: Path) -> None:
    sources = sorted(path.relative_to(ROOT).as_posix() for path in PROTO.glob("*.proto"))
    include = str(files("grpc_tools") / "_proto")

    status = protoc.main(
        ["", f"-I{ROOT}", f"-I{include}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", *sources]
    )

    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*_pb2.py*")}
    kept = {path.name: path.read_text(encoding="utf-8") for path in PROTO.glob("*_pb2.py*")}
    assert status == 0
    assert made == kept, "make proto"


def test_unknown_fields_and_enumeration_values_are_no_error() -> None:
    frame = bytes.fromhex("ba0606") + bytes.fromhex("0a014d10fa01") + bytes.fromhex("ca3e0178")

    depth = ServerMessage.FromString(frame).market_depth

    assert (depth.market_id, depth.depth_levels) == ("M", 250)
