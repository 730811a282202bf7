"""The configuration of a private Asterisk: values in, the text of its files out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from routing_engine.pbx.ami_events import CHANNEL_VARIABLES

HOST = "127.0.0.1"
#: How long what must happen is waited for, in seconds: far longer than it takes, since a busy machine is no fault.
PATIENCE_S = 60.0
MANAGER_USER = "rig"
#: Of ARI, with the right to read alone.
READER = "reader"
#: Accounts of the manager with the rights that following calls needs, and dialling, as the how-tos write them.
FOLLOWER, DIALLER = "follower", "dialler"
CALL_ID = "RIG_CALL_ID"
#: The music classes; all play the same.
MUSIC = ("default", "lounge")

DIRECTORIES = (
    ("astetcdir", "etc"), ("astvarlibdir", "lib"), ("astdbdir", "db"), ("astkeydir", "lib"), ("astdatadir", "data"),
    ("astagidir", "agi-bin"), ("astspooldir", "spool"), ("astrundir", "run"), ("astlogdir", "log"),
    ("astsbindir", "run"), ("astcachedir", "cache"),
)  # fmt: skip

CDR_FIELDS = (
    "uniqueid", "linkedid", "src", "clid", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "duration", "billsec", "disposition", "userfield",
)  # fmt: skip


@dataclass(frozen=True)
class Ports:
    """The ports of one instance, all on the loopback address; `rtp` is the first and the last."""

    sip: int
    manager: int
    http: int
    https: int
    rtp: tuple[int, int]


@dataclass(frozen=True)
class Wish:
    """What a test wants in its Asterisk beside the defaults."""

    dialplan: str = ""
    phones: tuple[str, ...] = ()
    queues: tuple[tuple[str, tuple[str, ...]], ...] = ()
    mailboxes: tuple[str, ...] = ()
    provider: tuple[str, int] | None = None
    web_phones: tuple[str, ...] = ()
    guarded_phones: tuple[str, ...] = ()


def files(
    directory: Path, modules: Path, names: Iterable[str], ports: Ports, secret: str, wish: Wish
) -> dict[str, str]:
    """Name and text of every file in the instance's etc folder."""
    return {
        "asterisk.conf": _asterisk(directory, modules),
        "modules.conf": _modules((*names, *(WEB_MODULES if wish.web_phones else ()))),
        "manager.conf": _manager(ports, secret),
        "http.conf": _http(directory, ports, bool(wish.web_phones)),
        "ari.conf": f"[general]\nenabled=yes\n[{MANAGER_USER}]\ntype=user\npassword={secret}\n"
        f"[{READER}]\ntype=user\nread_only=yes\npassword={secret}\n",
        "logger.conf": "[general]\ndateformat=%F %T.%3q\n[logfiles]\nfull => notice,warning,error,verbose(3),dtmf\n",
        "pjsip.conf": _pjsip(ports, wish),
        "rtp.conf": f"[general]\nrtpstart={ports.rtp[0]}\nrtpend={ports.rtp[1]}\n"
        f"icesupport={'yes' if wish.web_phones else 'no'}\n",
        "sorcery.conf": SORCERY,
        "extensions.conf": _extensions(wish.dialplan),
        "queues.conf": _queues(dict(wish.queues)),
        "voicemail.conf": _voicemail(wish.mailboxes),
        "musiconhold.conf": "".join(f"[{name}]\nmode=files\ndirectory={directory}/music\n" for name in MUSIC),
        "indications.conf": INDICATIONS,
        "cdr.conf": CDR,
        "cdr_custom.conf": "[mappings]\nCalls.csv => " + ",".join(f"${{CSV_QUOTE(${{CDR({f})}})}}" for f in CDR_FIELDS),
        "cdr_manager.conf": "[general]\nenabled=yes\n[mappings]\nlinkedid => LinkedID\n",
        "cel.conf": "[general]\nenable=no\n",
        "features.conf": "[general]\n",
        "confbridge.conf": "[general]\n",
        "res_parking.conf": "[general]\n",
        "udptl.conf": "[general]\n",
        **dict.fromkeys(("acl.conf", "ccss.conf", "pjproject.conf", "stasis.conf", "websocket_client.conf"), ""),
    }


def _modules(names: Iterable[str]) -> str:
    return "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in names)


#: The CSV file is as `history: {csv: ...}` of a PBX wants it.
CDR = """[general]
enable=yes
unanswered=yes
endbeforehexten=yes
[csv]
loguniqueid=yes
usegmtime=yes
newcdrcolumns=yes
"""

#: Where the passwords of telephones in the page are put, for one session each.
SORCERY = """[res_pjsip]
auth=config,pjsip.conf,criteria=type=auth
auth=memory
"""
#: What a telephone in a browser needs beside the rest.
WEB_MODULES = ("res_srtp", "codec_opus_open_source", "res_format_attr_opus", "res_pjsip_transport_websocket")
#: How soon Asterisk hangs up on a telephone of which nothing is heard any more.
RTP_TIMEOUT_S = 5
#: And of one that holds its call: a browser sends silence then, and never nothing.
RTP_TIMEOUT_HOLD_S = 10

INDICATIONS = """[general]
country=us
[us]
description=United States
ringcadence=2000,4000
dial=350+440
busy=480+620/500,0/500
ring=440+480/2000,0/4000
congestion=480+620/250,0/250
callwaiting=440/300,0/10000
dialrecall=!350+440/100,!0/100,!350+440/100,!0/100,350+440
record=1400/500,0/15000
info=!950/330,!1400/330,!1800/330,0
"""


def _asterisk(directory: Path, modules: Path) -> str:
    lines = "".join(f"{name} => {directory / folder}\n" for name, folder in DIRECTORIES)
    return f"[directories]\nastmoddir => {modules}\n{lines}[options]\nverbose=3\nhideconnect=yes\n"


def _manager(ports: Ports, secret: str) -> str:
    general = f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nport={ports.manager}\ntimestampevents=yes\n"
    general += f"channelvars={','.join(CHANNEL_VARIABLES)}\n"
    heard = "system,call,agent,user"
    rights = {
        MANAGER_USER: ("all", "all"),
        FOLLOWER: (heard, "call,reporting"),
        DIALLER: (heard, "call,reporting,originate"),
    }
    return general + "".join(
        f"[{name}]\nsecret={secret}\nread={read}\nwrite={write}\nwritetimeout=10000\n"
        for name, (read, write) in rights.items()
    )


def _http(directory: Path, ports: Ports, tls: bool) -> str:
    text = f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={ports.http}\n"
    if tls:
        text += f"tlsenable=yes\ntlsbindaddr=127.0.0.1:{ports.https}\ntlscertfile={directory}/etc/tls.pem\n"
    return text


def _pjsip(ports: Ports, wish: Wish) -> str:
    """A trunk for whoever calls from the loopback address, and a registrable telephone for each phone wished for.

    With a `provider`, calls for `PJSIP/NUMBER@trunk` go there. `*8` picks up what rings at another telephone. The
    telephones in a browser, and those that are guarded, register with the password of a session only.
    """
    shared = "disallow=all\nallow=ulaw,alaw\ndtmf_mode=rfc4733\ndirect_media=no\ntransport=udp\n"
    # A telephone is known by its user part; everyone else from here is the trunk.
    parts = [
        "[global]\ntype=global\nuser_agent=rig\nendpoint_identifier_order=username,ip,anonymous\n",
        f"[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{ports.sip}\n",
        f"[trunk]\ntype=endpoint\ncontext=rig-trunk\ntrust_id_inbound=yes\nsend_pai=yes\naors=trunk\n{shared}",
        "[trunk]\ntype=aor\n" + ("contact=sip:{}:{}\n".format(*wish.provider) if wish.provider else ""),
        "[trunk]\ntype=identify\nendpoint=trunk\nmatch=127.0.0.1\n",
    ]
    shared += "call_group=1\npickup_group=1\n"
    for phone in wish.phones:
        mailbox = f"mailboxes={phone}@default\n"
        parts.append(f"[{phone}]\ntype=endpoint\ncontext=from-phones\naors={phone}\ncallerid=<{phone}>\n{shared}")
        parts.append(f"[{phone}]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n{mailbox}")
    for phone in (*wish.web_phones, *wish.guarded_phones):
        # The object that `auth` names is in no file: it is made for each session.
        parts.append(f"[{phone}]\ntype=endpoint\ncontext=from-phones\naors={phone}\ncallerid=<{phone}>\nauth={phone}\n")
        web = f"webrtc=yes\nallow=!all,opus,ulaw\nrtp_timeout={RTP_TIMEOUT_S}\nrtp_timeout_hold={RTP_TIMEOUT_HOLD_S}\n"
        parts[-1] += web if phone in wish.web_phones else shared
        parts.append(f"[{phone}]\ntype=aor\nmax_contacts=1\nremove_existing=yes\nmaximum_expiration=120\n")
    if wish.web_phones:
        parts.append("[ws]\ntype=transport\nprotocol=ws\nbind=127.0.0.1\n")
        parts.append("[wss]\ntype=transport\nprotocol=wss\nbind=127.0.0.1\n")
    return "\n".join(parts)


def _extensions(dialplan: str) -> str:
    """The dialplan: a doorstep that notes the SIP Call-ID, so that a call can be found again, then the test's own."""
    return f"""[general]
static=yes
writeprotect=yes
clearglobalvars=no

[rig-trunk]
exten => _[+*#0-9A-Za-z]!,1,Set({CALL_ID}=${{CHANNEL(pjsip,call-id)}})
 same => n,GotoIf($[${{DIALPLAN_EXISTS(from-trunk,${{EXTEN}},1)}}]?from-trunk,${{EXTEN}},1)
 same => n,Hangup(1)
exten => h,1,NoOp()

{dialplan}
"""


def _queues(queues: Mapping[str, Iterable[str]]) -> str:
    text = "[general]\nautofill=yes\nshared_lastcall=yes\n"
    for name, members in queues.items():
        listed = "".join(f"member => {member}\n" for member in members)
        text += f"[{name}]\nstrategy=ringall\ntimeout=15\nretry=1\nmusicclass=default\njoinempty=yes\n{listed}"
    return text


def _voicemail(mailboxes: Iterable[str]) -> str:
    boxes = "".join(f"{box} => 1234,Mailbox {box}\n" for box in mailboxes)
    return f"[general]\nformat=wav\nmaxsilence=0\nminsecs=1\nmaxsecs=60\n[default]\n{boxes}"
