"""Histories that break the rules about what is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .bad import Bad, in_place_of, without
from .made_up import answered, asked
from .made_up_payloads import (
    DAMAGED,
    GONE,
    HURT,
    LET_THROUGH,
    MET_DAMAGE,
    READ,
    READ_IN_VAIN,
    READ_TOO_LATE,
    RECLAIMED,
    SENT_AGAIN,
    STORED,
    TOLD_TOO_LATE,
    WANTED_IN_TIME,
    WANTED_TOO_LATE,
    WHOLE,
)
from .payload_rules import (
    damage_heals,
    damage_is_refused,
    damage_was_done,
    no_turn_lacks_its_payload,
    payloads_are_served_whole,
    reclaimed_is_refused,
    what_is_kept_is_not_refused,
    what_is_needed_is_kept,
)

# Whoever sends again what was found damaged before.
ASKED_AGAIN = replace(asked("d9", "two"), at=5)
SENT_DAMAGED = replace(answered("d9", "1.0.1"), at=6)
REFUSED_IN_TIME = replace(TOLD_TOO_LATE, at=8, call="deploy release", deployment_id="d8")
TOLD_OF_DAMAGE = replace(TOLD_TOO_LATE, reason="STORED_DATA_CORRUPT", error="object 'packs/b' is corrupt")

BAD_PAYLOADS: Final = (
    in_place_of(
        payloads_are_served_whole,
        "a sent other bytes than were released",
        READ,
        replace(READ, sha256="sha256 of another"),
        WHOLE,
        history=STORED,
    ),
    in_place_of(
        payloads_are_served_whole,
        "a sent other bytes than were released",
        READ_IN_VAIN,
        replace(READ_IN_VAIN, reason="", error="DownloadDamaged: what came is not the payload"),
        history=STORED,
    ),
    in_place_of(
        damage_was_done,
        "somebody was told of damage that nobody did",
        READ_IN_VAIN,
        replace(READ_IN_VAIN, error="object 'packs/b' is corrupt"),
        history=STORED,
    ),
    in_place_of(
        damage_was_done,
        "somebody was told of damage that nobody did",
        TOLD_TOO_LATE,
        TOLD_OF_DAMAGE,
        history=STORED,
    ),
    in_place_of(
        damage_was_done,
        "web 1.0.1 is damaged, which nobody did",
        DAMAGED,
        replace(DAMAGED, damage="manifest manifests/b: it is gone"),
        history=STORED,
    ),
    in_place_of(
        damage_was_done,
        "a met damage that nobody did",
        MET_DAMAGE,
        replace(MET_DAMAGE, message="object 'packs/b' is corrupt"),
        history=STORED,
    ),
    without(
        damage_was_done,
        "somebody was told of damage that nobody did",
        HURT,
        READ_IN_VAIN,
        history=STORED,
    ),
    in_place_of(
        damage_is_refused,
        "web 1.0.1 is damaged and was not refused so",
        DAMAGED,
        replace(DAMAGED, readable=True),
        history=STORED,
    ),
    in_place_of(
        damage_is_refused,
        "web 1.0.1 is damaged and was not refused so",
        DAMAGED,
        replace(DAMAGED, reason="INTERNAL"),
        history=STORED,
    ),
    in_place_of(
        damage_heals,
        "web 1.0.1 is damaged, though b has it",
        DAMAGED,
        replace(DAMAGED, installed_on=("b", "c")),
        history=STORED,
    ),
    Bad(
        damage_heals,
        [*STORED, ASKED_AGAIN, SENT_DAMAGED],
        (SENT_DAMAGED, DAMAGED),
        "web 1.0.1 is damaged, though it was sent again",
    ),
    in_place_of(
        what_is_needed_is_kept,
        "web 1.0.2 was reclaimed, though it was live in default, pinned",
        RECLAIMED,
        replace(RECLAIMED, needed="live in default, pinned"),
        history=STORED,
    ),
    without(
        reclaimed_is_refused,
        "web 1.0.3 was let through without its payload",
        SENT_AGAIN,
        replace(RECLAIMED, version="1.0.3"),
        LET_THROUGH,
        history=STORED,
    ),
    in_place_of(
        reclaimed_is_refused,
        "web 1.0.2 has no payload and was not refused so",
        GONE,
        replace(GONE, reason="INTERNAL"),
        history=STORED,
    ),
    in_place_of(
        reclaimed_is_refused,
        "web 1.0.2 has no payload and was not refused so",
        GONE,
        replace(GONE, readable=True, reason=""),
        history=STORED,
    ),
    Bad(
        what_is_kept_is_not_refused,
        [*STORED, REFUSED_IN_TIME],
        (WANTED_IN_TIME, REFUSED_IN_TIME),
        "a call was refused for a payload that was not reclaimed",
    ),
    without(
        what_is_kept_is_not_refused,
        "a call was refused for a payload that was not reclaimed",
        RECLAIMED,
        WANTED_TOO_LATE,
        TOLD_TOO_LATE,
        history=STORED,
    ),
    in_place_of(
        what_is_kept_is_not_refused,
        "a reader was refused a payload that was not reclaimed",
        READ_TOO_LATE,
        replace(READ_TOO_LATE, version="1.0.0"),
        history=STORED,
    ),
    without(
        what_is_kept_is_not_refused,
        "web 1.0.2 has no payload, and nobody let go of it",
        RECLAIMED,
        GONE,
        history=STORED,
    ),
    in_place_of(
        no_turn_lacks_its_payload,
        "a was to have what is not stored",
        MET_DAMAGE,
        replace(MET_DAMAGE, message="no payload with sha256 17 is stored"),
        history=STORED,
    ),
)
