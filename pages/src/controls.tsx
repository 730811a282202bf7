/** What can be done with a call that is on one of the person's telephones. */
import { useState } from "preact/hooks";

import { api } from "./api";
import { type Call, isOpen, type Part } from "./call";
import { Fault, useAction, useChanges, useDesk } from "./desk";
import { dialled } from "./format";
import { t } from "./texts";

export function Controls({ call, part }: { call: Call; part: Part }) {
  const { feed, me, phone } = useDesk();
  useChanges(phone);
  const [transfers, setTransfers] = useState(false);
  const action = useAction();
  const act = (what: string, body?: Record<string, string>) =>
    action.run(async () => {
      feed.take(await api.act(call.id, what, body));
      setTransfers(false);
    });
  if (!isOpen(part) || !me.may.includes("dial")) return null;
  const here = phone.state.rings !== null;
  const spoken = part === "talking" || part === "held";
  // A telephone on the desk rings for others, too, perhaps: to hang up would end the call for all of them.
  if (part === "ringing" ? !here : !me.dialling) return null;
  return (
    <>
      <div class="buttons">
        {part === "ringing" && (
          <button class="main" onClick={() => phone.answer()}>
            {t("answer")}
          </button>
        )}
        {spoken && (
          <>
            <button disabled={action.busy} onClick={() => act(part === "held" ? "resume" : "hold")}>
              {t(part === "held" ? "resume" : "hold")}
            </button>
            <button aria-expanded={transfers} onClick={() => setTransfers(!transfers)}>
              {t("transfer")}
            </button>
          </>
        )}
        {call.recording.state === "recording" && spoken && (
          <button disabled={action.busy} onClick={() => act("mute_recording")}>
            {t("mute_recording")}
          </button>
        )}
        {part === "ringing" ? (
          <button class="end" onClick={() => phone.hangUp()}>
            {t("decline")}
          </button>
        ) : (
          <button class="end" disabled={action.busy} onClick={() => act("hangup")}>
            {t(part === "dialling" ? "cancel" : "hang_up")}
          </button>
        )}
      </div>
      {transfers && <Transfer act={act} />}
      <Fault error={action.error} />
    </>
  );
}

function Transfer({ act }: { act: (what: string, body: Record<string, string>) => void }) {
  const [to, setTo] = useState("");
  const send = (how: string) => {
    if (dialled(to)) act("transfer", { to: dialled(to), how });
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
