"""What holds of play-out whenever it starts and however speech comes, and on the loop of the front itself."""

from __future__ import annotations

import asyncio

import uvloop
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.front.connection.playback import AFTER_START_S, TICKS_PER_S, Pacer, Player
from tests.unit.front.playout import Clock, PlayingDevice, Playout, frames

TICK_S = 1 / TICKS_PER_S
# Times are sums of floats; none of this matters to an device.
TOLERANCE_S = 1e-5
# A loop counts from the start of the machine: from its first minute to its third hour.
STARTS_MS = st.integers(60_000, 10_000_000)


@given(start_ms=STARTS_MS, count=st.integers(1, 400))
def test_the_timer_goes_off_once_for_a_frame(start_ms: int, count: int) -> None:
    playout = Playout(Clock(now_ms=start_ms))
    player, device = playout.player()
    player.add(*frames(count))
    player.finish()

    playout.clock.advance()

    assert len(device.played_at) == 1
    # The lead together, every other frame, and the end.
    assert playout.clock.calls <= count + 2


@given(start_ms=STARTS_MS)
def test_packets_that_come_while_a_player_sleeps_do_not_wake_it(start_ms: int) -> None:
    playout = Playout(Clock(now_ms=start_ms))
    player, _ = playout.player()
    for number in range(50):
        player.add(*frames(1, first=number))
    player.finish()

    playout.clock.advance()

    assert playout.clock.calls <= 50 + 2


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[int, list[bytes | str]]]:
    """Draw what comes for a device, and how many ms after what came before it."""
    pauses_ms = draw(st.lists(st.integers(0, 900), min_size=1, max_size=12))
    given_items: list[tuple[int, list[bytes | str]]] = []
    number = 0
    for sentence, pause_ms in enumerate(pauses_ms):
        count = draw(st.integers(1, 25))
        given_items.append((pause_ms, [f"Sentence {sentence}.", *frames(count, first=number)]))
        number += count
    return given_items


@given(lead_frames=st.integers(1, 8), start_ms=STARTS_MS, coming=deliveries())
def test_whatever_comes_when_the_lead_is_never_exceeded_and_all_is_heard_in_order(
    lead_frames: int, start_ms: int, coming: list[tuple[int, list[bytes | str]]]
) -> None:
    playout = Playout(Clock(now_ms=start_ms))
    player, device = playout.player(lead_frames=lead_frames)
    for pause_ms, items in coming:
        playout.clock.advance(pause_ms / 1000)
        player.add(*items)
    player.finish()

    playout.clock.advance()

    assert device.items == [item for _, items in coming for item in items]
    assert device.most_waiting <= lead_frames
    assert device.frame_times[0] - start_ms / 1000 >= AFTER_START_S - TOLERANCE_S
    (played_at,) = device.played_at
    assert -TOLERANCE_S <= played_at - device.ends_at <= TICK_S + TOLERANCE_S
    assert playout.clock.armed == 0


def test_many_devices_are_paced_on_the_loop_that_the_front_uses() -> None:
    # uvloop gives a handle without a time for what is due now; a pacer that asked it would die here.
    async def play() -> list[Player]:
        pacer = Pacer(asyncio.get_running_loop())
        players, ends = [], []
        for _ in range(30):
            ended = asyncio.Event()
            player = Player(pacer, PlayingDevice(Clock()), lead_frames=5, on_played=ended.set)
            player.start()
            player.add(*frames(20))
            player.finish()
            players.append(player)
            ends.append(ended)
            await asyncio.sleep(0.005)
        await asyncio.wait_for(asyncio.gather(*(ended.wait() for ended in ends)), 30)
        return players

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert [player.clock.sent for player in runner.run(play())] == [20] * 30
