/** A person's own password: the old one is asked for, and the other devices are logged out. */
import { useState } from "preact/hooks";

import { api, ApiError } from "./api";
import { Fault, useAction } from "./desk";
import { t } from "./texts";

const NOTHING = { old: "", fresh: "", again: "" };
type Typed = typeof NOTHING;

export function Password() {
  const [open, setOpen] = useState(false);
  const [done, setDone] = useState(false);
  if (open) return <Form close={(changed) => (setOpen(false), setDone(changed))} />;
  return (
    <div class="setting">
      <span>
        {t("password")} {done && <span role="status">{t("password_changed")}</span>}
      </span>
      <button onClick={() => setOpen(true)}>{t("password_change")}</button>
    </div>
  );
}

function Form({ close }: { close: (changed: boolean) => void }) {
  const [typed, setTyped] = useState<Typed>(NOTHING);
  const action = useAction();
  const send = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      if (typed.fresh !== typed.again) throw new ApiError(0, "", t("password_differs"), "");
      await api.password(typed.old, typed.fresh);
      close(true);
    });
  };
  const field = (name: keyof Typed, label: string, kind: string) => (
    <label>
      {label}
      <input
        type="password"
        autocomplete={kind}
        required
        value={typed[name]}
        onInput={(event) => setTyped({ ...typed, [name]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <form class="fields" aria-label={t("password_change")} onSubmit={send}>
      {field("old", t("password_old"), "current-password")}
      {field("fresh", t("password_new"), "new-password")}
      {field("again", t("password_again"), "new-password")}
      <Fault error={action.error} />
      <div class="buttons">
        <button class="main" disabled={action.busy}>
          {t("save")}
        </button>
        <button type="button" onClick={() => close(false)}>
          {t("cancel")}
        </button>
      </div>
    </form>
  );
}
