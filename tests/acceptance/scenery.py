"""What stands around a call: the site's dialplan and its sounds, each short and of one frequency of its own."""

from __future__ import annotations

from pathlib import Path

from rig.ear import save_wav, tone

SHIPPED = Path(__file__).parents[2] / "dialplan" / "routing-engine.conf"
#: Nobody listens at port 1 of the loopback address.
NOBODY = "127.0.0.1:1"

#: Name of a sound, its frequency in English and in German (0: there is none), and how long it lasts in seconds.
SOUNDS = (
    ("welcome", 600, 0, 0.5),
    ("prompt", 700, 750, 0.25),
    ("retry", 800, 0, 0.25),
    ("final", 900, 0, 0.25),
    ("gold", 1000, 0, 0.25),
    ("sorry", 1100, 1150, 0.25),
    ("long", 1200, 0, 3.0),
    ("crm_routing-emergency", 1300, 0, 0.25),
    ("crm_routing-callback", 1400, 0, 0.25),
    ("news", 1500, 0, 0.25),
    ("menu", 1600, 0, 0.25),
    ("moment", 1700, 0, 3.0),
)
HZ = {name: english for name, english, _, _ in SOUNDS}
GERMAN_HZ = {name: german for name, _, german, _ in SOUNDS if german}

DIALPLAN = f"""
[globals]
ROUTING_ENGINE_TRUNK=1003
ROUTING_ENGINE_RING_S=2
ROUTING_ENGINE_GROUP_sales=PJSIP/1001&PJSIP/1002

#include "{SHIPPED}"
"""

# The route is the number dialled; whom to ask comes with the call, so that many engines can be tried side by side.
DIALPLAN += """
[from-trunk]
exten => _[a-z].,1,Set(ROUTING_ENGINE_1=${PJSIP_HEADER(read,X-Engine-1)})
 same => n,Set(ROUTING_ENGINE_2=${PJSIP_HEADER(read,X-Engine-2)})
 same => n,Set(ROUTING_ENGINE_EMERGENCY=${PJSIP_HEADER(read,X-Emergency)})
 same => n,Set(NAME_SEEN=${CALLERID(name)})
 same => n,Goto(routing-engine,${EXTEN},1)
exten => answered_quiet,1,Answer()
 same => n,Set(ROUTING_ENGINE_1=${PJSIP_HEADER(read,X-Engine-1)})
 same => n,Set(ROUTING_ENGINE_2=${PJSIP_HEADER(read,X-Engine-2)})
 same => n,Goto(routing-engine,${EXTEN},1)
exten => own_words,1,AGI(agi://${PJSIP_HEADER(read,X-Engine-1)},spoken,language=de)
 same => n,Goto(${ROUTE_CONTEXT},${ROUTE_EXTEN},${ROUTE_PRIORITY})
exten => _0.,1,Set(ROUTING_ENGINE_1=${PJSIP_HEADER(read,X-Engine-1)})
 same => n,Goto(routing-engine,by_called,1)

[ivr-main]
exten => s,1,Answer()
 same => n,Playback(menu)
 same => n,Wait(5)

[office]
exten => _[!-~]!,1,NoOp(${CRM_NOTE})
 same => n,Wait(20)

[early]
exten => _[!-~]!,1,Wait(1)
 same => n,Hangup(17)

[desk-of-the-day]
exten => s,1,Answer()
 same => n,Playback(news)
 same => n,Hangup()

[my-queues]
exten => _X,1,Answer()
 same => n,Queue(number-${EXTEN})
"""

#: The contexts of FreePBX that its profile points at, as its modules write them.
FREEPBX = {
    "extension": "from-did-direct",
    "queue": "ext-queues",
    "ring_group": "ext-group",
    "ivr": "ivr-7",
    "voicemail": "ext-local",
    "conference": "ext-meetme",
    "external": "from-internal",
}
DIALPLAN += "".join(
    f"\n[{context}]\nexten => _[!-~]!,1,NoOp({kind})\n same => n,Hangup()\n" for kind, context in FREEPBX.items()
)


def save_sounds(folder: Path) -> None:
    """Write every sound; the silence before it keeps it apart for the rig's ear from one that was cut."""
    for language in ("en", "de"):
        (folder / language).mkdir(parents=True)
    for name, english, german, lasts_s in SOUNDS:
        for language, hz in (("en", english), ("de", german)):
            if hz:
                save_wav(folder / language / f"{name}.wav", b"\xff" * 1000 + tone(hz, lasts_s))
