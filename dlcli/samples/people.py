"""People: members of a club, in numbers, categories, texts and times, with gaps.

`renews` (yes or no) and `spend` (a number) can be learned. Both depend on several columns at once:
on the tone of the note, on how long someone has been a member, on visits measured by the plan.
"""

from pathlib import Path

import numpy as np

from dlcli.data import Data
from dlcli.samples._draws import Draws, read_back

SIZE = 2000  # people, when no number is given
TARGET = "renews"
COLUMNS = 48
TODAY = np.datetime64("2025-01-01T00:00")
CITIES = {"Ahlen": 0.4, "Bruck": -0.3, "Corvo": 0.0, "Dorn": 0.6, "Eskil": -0.5, "Fjell": 0.2, "Gant": -0.1}
# price, and the visits a month from which on it pays
PLANS = {"basic": (9.0, 3), "plus": (19.0, 8), "family": (29.0, 14), "student": (6.0, 6)}
DEVICES = ("phone", "laptop", "tablet")
TOPICS = ("the app", "the course", "the trainer", "the opening hours", "the showers", "the bill", "the sauna")
PRAISE = ("works well", "is a joy", "was worth it", "helps a lot", "is better than before", "never lets me down")
BLAME = ("is a mess", "was never ready", "costs too much", "disappoints me", "is worse than before", "does not help")
STARTS = ("says", "wrote that", "told us", "mentions that", "called:", "thinks")
NEUTRAL = ("please call back", "asked for a receipt", "new address", "no hurry", "was in a rush", "with a friend")


def make(n: int, *, seed: int = 0, target: str | None = None) -> Data:
    """n people; `target` is the column to predict, `renews` when none is named."""
    from dlcli.formats import table

    return read_back(write, n, seed=seed, open=lambda folder: table.open(folder, target=target or TARGET))


def write(folder: Path, n: int, *, seed: int = 0) -> None:
    """people.csv."""
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(draw(n, seed=seed)).write_csv(folder / "people.csv", float_precision=2)


def draw(n: int, *, seed: int = 0) -> dict[str, list]:
    """Columns by name; None is a gap."""
    draws = Draws(n, seed=seed, columns=COLUMNS)
    days = 30 + 1800 * draws.uniform() ** 1.6
    minute = draws.uniform(7 * 60, 22 * 60)
    joined = TODAY - days.astype(int).astype("timedelta64[D]") + minute.astype(int).astype("timedelta64[m]")
    plan, city, device = draws.choice(list(PLANS)), draws.choice(list(CITIES)), draws.choice(DEVICES)
    age = np.clip(np.where(plan == "student", draws.uniform(17, 30), draws.uniform(18, 80)), 17, 80).astype(int)
    price, paying = np.array([PLANS[p] for p in plan]).reshape(-1, 2).T
    visits = np.floor(paying * np.exp(draws.normal(0.7)))  # a month
    minutes = np.clip(20 + 45 * np.exp(draws.normal(0.35)) - 0.25 * age, 5, None)
    voucher = draws.chance(0.3)
    tone = draws.choice([-1, 0, 0, 1])
    note = _notes(tone, draws)

    # Extras are bought by those who stay long, and by families in the evening.
    evening = minute > 17 * 60
    rate = 0.02 * minutes + 2.5 * evening * (plan == "family") + 1.5 * (device == "phone") - 2 * voucher
    loyal = 0.0006 * price * days * (tone >= 0)
    spend = np.maximum(0, price + np.sqrt(visits) * np.maximum(0.3, rate) + loyal + draws.normal(2.0))

    worth = np.log((visits + 1) / paying)  # below 0: the plan does not pay
    score = 2.4 * worth + 2.2 * tone + 1.2 * np.log(days / 365) * np.where(voucher, 0.2, 1.0)
    score += 3.5 * np.array([CITIES[c] for c in city]) * (device != "laptop") + 1.2 * (np.abs(age - 45) > 20)
    renews = score > 0.3 + draws.normal(1.0)

    return {
        "joined": [str(moment).replace("T", " ") for moment in joined],
        "age": _gaps(age.tolist(), draws.chance(0.06)),
        "city": _gaps(city.tolist(), draws.chance(0.03)),
        "plan": plan.tolist(),
        "device": device.tolist(),
        "visits": visits.astype(int).tolist(),
        # the clock at the door fails more often for long stays
        "minutes": _gaps(minutes.tolist(), draws.chance(0.04) | (draws.chance(0.2) & (minutes > 70))),
        "voucher": np.where(voucher, "yes", "no").tolist(),
        "note": _gaps(note, draws.chance(0.1)),
        "spend": spend.tolist(),
        "renews": np.where(renews, "yes", "no").tolist(),
    }


def _notes(tone: np.ndarray, draws: Draws) -> list[str]:
    """A ticket number, what was said, and words that mean nothing for either target."""
    number = draws.uniform(10_000, 99_999).astype(int)
    parts = [draws.choice(options) for options in (STARTS, TOPICS, PRAISE, BLAME, NEUTRAL)]
    notes = []
    for ticket, mood, start, topic, praise, blame, neutral in zip(number, tone, *parts, strict=True):
        said = f"{start} {topic} {praise if mood > 0 else blame}, " if mood else ""
        notes.append(f"ticket {ticket}: {said}{neutral}")
    return notes


def _gaps(values: list, missing: np.ndarray) -> list:
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]
