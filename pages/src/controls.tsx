/** What can be done with a call that is on one of the person's telephones. */
import { useState } from "preact/hooks";

import { api } from "./api";
import { type Call, isOpen, type Part, phoneOf } from "./call";
import { Fault, useAction, useChanges, useDesk } from "./desk";
import { dialled } from "./format";
import { t } from "./texts";

/** Telephones that did not hold a call when they were asked to. */
const cannotHold = new Set<string>();

export function Controls({ call, part }: { call: Call; part: Part }) {
  const { feed, me, phone } = useDesk();
  useChanges(phone);
  const [transfers, setTransfers] = useState<"no" | "asks" | "consults">("no");
  const [muted, setMuted] = useState(false);
  const action = useAction();
  const act = (what: string, body: Record<string, unknown> = {}, then = () => setTransfers("no")) =>
    action.run(async () => {
      feed.take(await api.act(call.id, what, body));
      then();
    });
  if (!isOpen(part) || !me.may.includes("dial")) return null;
  const own = phoneOf(call, me.user.key);
  const page = phone.speaksOn(own);
  const here = page || phone.ringsFor(call);
  if (action.error?.code === "no_hold" && own) cannotHold.add(own);
  const holds = page || !(own && (cannotHold.has(own) || me.cannot_hold.includes(own)));
  const spoken = part === "talking" || part === "held";
  if (!me.dialling && !here) return null;
  return (
    <>
      <div class="buttons">
        {part === "ringing" && here && (
          <button class="main" onClick={() => phone.tell({ is: "answer" })}>
            {t("answer")}
          </button>
        )}
        {spoken && (
          <>
            {holds && (
              <button
                disabled={action.busy}
                onClick={() => (page ? phone.tell({ is: "hold" }) : act(part === "held" ? "resume" : "hold"))}
              >
                {t(part === "held" || (page && phone.state.held) ? "resume" : "hold")}
              </button>
            )}
            <button aria-expanded={transfers !== "no"} onClick={() => setTransfers(transfers === "no" ? "asks" : "no")}>
              {t("transfer")}
            </button>
          </>
        )}
        {call.recording.state === "recording" && spoken && (
          <button
            disabled={action.busy}
            aria-pressed={muted}
            onClick={() => act("mute_recording", { muted: !muted }, () => setMuted(!muted))}
          >
            {t(muted ? "unmute_recording" : "mute_recording")}
          </button>
        )}
        <button
          class="end"
          disabled={action.busy}
          onClick={() => (here ? phone.tell({ is: "hangUp" }) : act("hangup"))}
        >
          {t(part === "ringing" ? "decline" : part === "dialling" ? "cancel" : "hang_up")}
        </button>
      </div>
      {transfers === "asks" && (
        <Transfer
          send={(to, how) => act("transfer", { to, how }, () => setTransfers(how === "attended" ? "consults" : "no"))}
        />
      )}
      {transfers === "consults" && (
        <div class="fields">
          <p>{t("transfer_consults")}</p>
          <button onClick={() => act("transfer", { how: "cancel" })}>{t("transfer_back")}</button>
        </div>
      )}
      <Fault error={action.error} />
    </>
  );
}

function Transfer({ send: pass }: { send: (to: string, how: "blind" | "attended") => void }) {
  const [to, setTo] = useState("");
  const send = (how: "blind" | "attended") => {
    if (dialled(to)) pass(dialled(to), how);
  };
  return (
    <form
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        send("blind");
      }}
    >
      <label>
        {t("transfer_to")}
        <input inputMode="tel" required autofocus value={to} onInput={(event) => setTo(event.currentTarget.value)} />
      </label>
      <div class="buttons">
        <button class="main">{t("transfer_blind")}</button>
        <button type="button" onClick={() => send("attended")}>
          {t("transfer_attended")}
        </button>
      </div>
    </form>
  );
}
