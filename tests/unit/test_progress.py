"""What a distribution has published, from its records: ranges, replays, other drivers."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace

from fink_cli.distribution.progress.dead_letters import (
    UNDECIDED,
    DeadLetter,
    dead_letter_key,
    dead_letter_record,
    read_dead_letters,
)
from fink_cli.distribution.progress.earlier_runs import behind_streams, definitions
from fink_cli.distribution.progress.records import (
    Driver,
    Progress,
    Published,
    Range,
    Record,
    SourceFile,
    again_record,
    driver_record,
    missing,
    published_record,
    reason_record,
    union,
)
from fink_cli.distribution.streams import Stream

FILE = SourceFile("night=1/a.parquet", 100, 1, "digest", 10)


def published(*ranges: Range, batch: str = "d/1", part: int = 0, replay: bool = False) -> Published:
    counts = {"s": {"t": sum(after - first for first, after in ranges)}}
    return Published("d", batch, 0, part, "now", [(FILE, list(ranges))], counts, {"s": 1}, replay)


def driver(name: str) -> Driver:
    return Driver(name, 1, "host", 1, "now", 4, "/science", {}, {"t": "id"}, "{}")


def progress_of(*records: object) -> Progress:
    progress = Progress("x")
    progress.apply(records)  # type: ignore[arg-type]
    return progress


def test_a_file_is_whole_when_all_its_rows_were_published() -> None:
    progress = progress_of(published_record("x", published((0, 4))))
    assert not progress.files[FILE.name].complete
    assert missing(progress.files[FILE.name].done, FILE.rows) == [(4, 10)]
    progress.apply([published_record("x", published((4, 10), part=1))])
    assert progress.files[FILE.name].complete
    assert (progress.read, progress.counts["s", "t"], progress.dead["s"]) == (10, 10, 2)
    assert progress.batches == 1


def test_records_of_another_distribution_are_its_own() -> None:
    progress = progress_of(published_record("y", published((0, 10))))
    assert (progress.files, progress.read) == ({}, 0)


def test_a_replay_reads_nothing_anew_and_takes_letters_away() -> None:
    replayed = Published(
        "d", "d/2", 0, 0, "later", [(FILE, [(3, 4)])], {"s": {"t": 1}}, {"s": -1}, True
    )
    progress = progress_of(
        published_record("x", published((0, 10))), published_record("x", replayed)
    )
    assert (progress.read, progress.counts["s", "t"], progress.dead["s"]) == (10, 11, 0)
    assert progress.last_published_at == {"s": "later"}
    assert progress.replayed == {("d", FILE.name): [(3, 4)]}


def test_again_forgets_one_file_or_all() -> None:
    records = [published_record("x", published((0, 10)))]
    progress = progress_of(*records, again_record("x", FILE.name))
    assert (progress.files, progress.read) == ({}, 10)
    progress = progress_of(*records, again_record("x", None))
    assert (progress.files, progress.read, progress.counts) == ({}, 0, {})


def test_the_last_driver_owns_it_and_reasons_are_kept() -> None:
    progress = progress_of(
        driver_record("x", driver("one")),
        driver_record("x", driver("two")),
        reason_record("x", "s", "why"),
    )
    assert progress.driver == driver("two")
    assert progress.reasons == {"s": "why"}


def test_a_record_that_fink_did_not_write_is_passed_over() -> None:
    """Every publisher may write to the topic; and a later version of fink adds fields."""
    good = published_record("x", published((0, 10)))
    newer = {**json.loads(good.value), "a_later_field": 1}
    foreign = [Record("no JSON", "x"), Record("[1]", "x"), Record(good.key, json.dumps(newer))]
    assert progress_of(*foreign).read == 10
    letters = [("key", "no JSON"), ("other", "[]")]
    assert read_dead_letters("x", letters) == {}


def test_letters_that_two_records_take_away_survive_compaction() -> None:
    one, other = (again_record("x", FILE.name, {"s": 1}) for _ in range(2))
    assert one.key != other.key


def test_a_later_record_of_a_dead_letter_takes_its_place() -> None:
    letter = DeadLetter("s", "1", UNDECIDED, "raised", FILE.name, 3)
    other = DeadLetter("s", "2", UNDECIDED, "raised", FILE.name, 4)
    first, second = dead_letter_record("x", letter), dead_letter_record("x", other)
    gone = dead_letter_key("x", "s", FILE.name, 3)
    strange = dead_letter_record("y", letter)
    messages = [(each.key, each.value) for each in (first, second, strange)]
    assert set(read_dead_letters("x", messages).values()) == {letter, other}
    assert list(read_dead_letters("x", [*messages, (gone, None)]).values()) == [other]


def compacted(records: list[Record]) -> list[Record]:
    """What Kafka's compaction leaves: the last record of each key, and no empty one."""
    last = {record.key: number for number, record in enumerate(records)}
    return [records[number] for number in sorted(last.values()) if records[number].value]


def test_a_summary_says_all_that_the_records_before_it_said() -> None:
    """Whatever was published, forgotten and moved, and however much of it is compacted by then."""
    chosen = random.Random(3)
    for _ in range(200):
        log: list[Record] = []
        progress = Progress("x")

        def write(*records: Record, log: list[Record] = log, progress: Progress = progress) -> None:
            log.extend(records)
            progress.apply(records)

        for batch in range(chosen.randint(1, 12)):
            file = SourceFile(f"{chosen.choice('abc')}.parquet", 100, 1, "digest", 10)
            rows = [(first := chosen.randint(0, 9), first + 1)]
            counts = {chosen.choice("st"): {"t": chosen.randint(1, 5)}}
            dead = {"s": chosen.randint(0, 2)}
            write(
                published_record(
                    "x",
                    Published("d", f"d/{batch}", 0, 0, f"at {batch}", [(file, rows)], counts, dead),
                )
            )
            then = chosen.random()
            if then < 0.2:
                write(again_record("x", chosen.choice([None, file.name, "b.parquet"])))
            elif then < 0.4 and file.name in progress.files:
                progress.rename(file.name, replace(file, name="new.parquet"))
                write(*progress.summary())
            elif then < 0.7:
                write(*progress.summary())
                assert not progress.to_sum_up
        for records in (
            log,
            compacted(log),
            [*compacted(log[: len(log) // 2]), *log[len(log) // 2 :]],
        ):
            again = progress_of(*records)
            assert again.files == progress.files
            assert (again.read, again.batches) == (progress.read, progress.batches)
            assert +again.counts == +progress.counts
            assert +again.dead == +progress.dead
            assert again.last_published_at == progress.last_published_at
        write(*progress.summary())
        assert progress_of(*compacted(log)).files == progress.files
        kinds = Counter(json.loads(record.key)["kind"] for record in compacted(log))
        assert kinds == {k: v for k, v in {"file": len(progress.files), "totals": 1}.items() if v}


def test_ranges_are_those_of_sets() -> None:
    chosen = random.Random(1)
    for _ in range(300):
        ranges = [
            (first, first + chosen.randint(0, 5))
            for first in chosen.choices(range(20), k=chosen.randint(0, 6))
        ]
        rows = {row for first, after in ranges for row in range(first, after)}
        assert {row for first, after in union(ranges) for row in range(first, after)} == rows
        gaps = {row for first, after in missing(ranges, 20) for row in range(first, after)}
        assert gaps == set(range(20)) - rows


def test_a_stream_with_another_name_lacks_nothing() -> None:
    bright = Stream(topic="t", filter="mag < 18")
    renamed = Stream(topic="t", name="all", filter="mag < 18")
    changed = Stream(topic="t", name="all", filter="mag < 19")
    progress = progress_of(published_record("x", published((0, 4))))
    progress.driver = replace(driver("a"), streams=definitions([bright]))
    assert behind_streams(progress, [bright], "now") == {}
    assert behind_streams(progress, [renamed], "now") == {}
    assert behind_streams(progress, [changed], "now") == {"all": "now"}
    assert behind_streams(progress, [bright, renamed], "now") == {"all": "now"}
    progress.driver = replace(progress.driver, behind={"t": "before"})
    assert behind_streams(progress, [renamed], "now") == {"all": "before"}
