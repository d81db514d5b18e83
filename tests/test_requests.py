import json

import pytest
from msgspec.structs import asdict

from explorer.errors import UserError
from explorer.running import requests
from explorer.running.requests import Request
from tests.conftest import PROJECT

LR = Request("lr", "mlp", "mnist", {"steps": 300}, 5)


def test_what_is_noted_down_is_read_back_in_order(tmp_path):
    second = Request("mine", "cnn", "fashion", {}, 3, "my.toml")
    assert requests.append(tmp_path, LR)
    assert requests.append(tmp_path, second)
    assert requests.read(tmp_path) == [LR, second]


def test_no_file_is_no_plan(tmp_path):
    assert requests.read(tmp_path / "nowhere") == []


def test_the_same_sweep_again_changes_nothing_and_more_seeds_count(tmp_path):
    requests.append(tmp_path, LR)
    before = (tmp_path / requests.FILE).read_bytes()
    assert not requests.append(tmp_path, LR)
    assert not requests.append(tmp_path, Request("lr", "mlp", "mnist", {"steps": 300}, 2))
    assert (tmp_path / requests.FILE).read_bytes() == before
    assert requests.append(tmp_path, Request("lr", "mlp", "mnist", {"steps": 300}, 10))
    assert [request.seeds for request in requests.read(tmp_path)] == [10]


def test_other_overrides_are_another_question(tmp_path):
    requests.append(tmp_path, LR)
    requests.append(tmp_path, Request("lr", "mlp", "mnist", {}, 5))
    assert len(requests.read(tmp_path)) == 2


def test_an_unfinished_last_line_is_ignored_and_the_next_plan_takes_its_place(tmp_path):
    requests.append(tmp_path, LR)
    with open(tmp_path / requests.FILE, "ab") as file:
        file.write(b'{"name":"bs","mod')
    assert requests.read(tmp_path) == [LR]
    other = Request("bs", "mlp", "mnist", {}, 5)
    requests.append(tmp_path, other)
    assert requests.read(tmp_path) == [LR, other]


def test_a_last_line_that_only_lacks_its_newline_is_kept(tmp_path):
    requests.append(tmp_path, LR)
    path = tmp_path / requests.FILE
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    other = Request("bs", "mlp", "mnist", {}, 5)
    requests.append(tmp_path, other)
    assert requests.read(tmp_path) == [LR, other]


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"name": "lr"}', json.dumps({**asdict(LR), "seeds": 0})])
def test_a_line_that_is_no_plan_is_named(tmp_path, line):
    (tmp_path / requests.FILE).write_text(f"{line}\n")
    with pytest.raises(UserError, match=r"sweeps\.jsonl, line 1"):
        requests.read(tmp_path)


@pytest.mark.parametrize("name", ["/../../V/x", "..", ".hidden", "a/b", "a b", "", "x" * 200, "a\nb", "a\\b"])
@pytest.mark.parametrize("field", ["name", "model", "dataset"])
def test_a_name_that_could_lead_out_of_its_folder_is_refused_where_it_is_read_and_made(tmp_path, name, field):
    (tmp_path / requests.FILE).write_text(json.dumps({**asdict(LR), field: name}) + "\n")
    with pytest.raises(UserError, match=rf"line 1: .*the {field} .* other signs"):
        requests.read(tmp_path)
    with pytest.raises(ValueError, match="other signs"):
        Request(**{**asdict(LR), field: name})


def test_a_persons_own_data_are_part_of_the_question(tmp_path):
    for data in ("one.npz", "two.npz", "one.npz"):
        requests.append(tmp_path, Request("lr", "mlp", "one", {}, 3, None, data))
    assert [request.data for request in requests.read(tmp_path)] == ["one.npz", "two.npz"]


def test_requests_as_shipped_are_written_as_they_were(tmp_path):
    shipped = PROJECT / "results"
    for request in requests.read(shipped):
        requests.append(tmp_path, request)
    written = (tmp_path / requests.FILE).read_text().splitlines()
    assert set(written) <= set((shipped / requests.FILE).read_text().splitlines())
    assert requests.read(tmp_path) == requests.read(shipped)
