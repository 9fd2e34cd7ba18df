"""A made-up history of what is stored, which breaks no rule, and what it is made of.

A pack file was hurt of which one release is made. Another was reclaimed, a third was too and came again.
"""

from __future__ import annotations

from dataclasses import replace

from .made_up import answered, asked, ended, release, turn
from .records import Decided, ObjectHurt, PayloadRead, Reclaimed, Record, Refused, Restored

HURT = ObjectHurt(2, "packs/a", "changed")
HURT_WORDS = "pack file packs/a, chunk 17 at byte 4: it is another"
READ = PayloadRead(3, "a", "web", "1.0.0", "sha256 of 1.0.0", "", "")
READ_IN_VAIN = PayloadRead(3, "a", "web", "1.0.1", "", "STORED_DATA_CORRUPT", "object 'packs/a' is corrupt")
READ_TOO_LATE = PayloadRead(5, "a", "web", "1.0.2", "", "PAYLOAD_RECLAIMED", "was reclaimed")
MET_DAMAGE = replace(turn("d6", "a", 8, "1.0.1", "failed"), message="object 'packs/a' is corrupt")
SCRUBBED = Decided(4, "housekeeper", "scrub", "")
RECLAIMED = Reclaimed(4, "web", "1.0.2", "")
SENT_AGAIN = Restored(6, "web", "1.0.3")
WANTED_TOO_LATE = replace(asked("d7", "", call="rollback"), at=5, version="1.0.2")
TOLD_TOO_LATE = Refused(6, "client1", "rollback", "d7", "PAYLOAD_RECLAIMED", "was reclaimed", unknown=False)
WANTED_IN_TIME = replace(asked("d8", "", call="deploy release"), at=7, version="1.0.3")
LET_THROUGH = replace(answered("d8", "1.0.3", call="deploy release"), at=8)
WHOLE = replace(release("1.0.0", "d1"), sha256="sha256 of 1.0.0")
DAMAGED = replace(release("1.0.1", "d2", readable=False), damage=HURT_WORDS, reason="STORED_DATA_CORRUPT")
GONE = replace(release("1.0.2", "d3", readable=False), stored=False, reason="PAYLOAD_RECLAIMED")
STORED: tuple[Record, ...] = (
    *(asked("d1", "one"), answered("d1", "1.0.0"), asked("d2", "two"), answered("d2", "1.0.1")),
    *(asked("d3", "three"), answered("d3", "1.0.2"), asked("d4", "four"), answered("d4", "1.0.3")),
    *(HURT, READ, READ_IN_VAIN, RECLAIMED, Reclaimed(4, "web", "1.0.3", ""), SCRUBBED),
    *(WANTED_TOO_LATE, READ_TOO_LATE, TOLD_TOO_LATE, SENT_AGAIN, WANTED_IN_TIME, LET_THROUGH),
    *(ended(f"d{number + 1}", "cancelled", f"1.0.{number}", 0) for number in range(4)),
    ended("d8", "cancelled", "1.0.3", 0),
    *(WHOLE, DAMAGED, GONE, release("1.0.3", "d4")),
    MET_DAMAGE,
)
