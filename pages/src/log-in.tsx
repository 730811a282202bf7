/** The page of who is not logged in. */
import { useEffect, useState } from "preact/hooks";

import { api } from "./api";
import { Fault, useAction } from "./desk";
import { t } from "./texts";

export function LogIn({ done }: { done: () => Promise<void> }) {
  const [ways, setWays] = useState<{ log_in: string[]; title?: string }>({ log_in: ["password"] });
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const action = useAction();
  // A provider of log-ins sends the browser back with what went wrong.
  const refused = new URLSearchParams(location.search).get("error");
  useEffect(() => void api.session().then(setWays, () => undefined), []);
  const send = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      await api.logIn(user.trim(), password);
      await done();
    });
  };
  return (
    <main class="log-in">
      <h1>{t("log_in_title")}</h1>
      {refused && (
        <p class="fault" role="alert">
          {t(refused === "oidc_unknown" ? "log_in_unknown" : "log_in_failed")}
        </p>
      )}
      {ways.log_in.includes("password") && (
      <form onSubmit={send}>
        <label>
          {t("user")}
          <input
            name="username"
            autocomplete="username"
            required
            autofocus
            value={user}
            onInput={(event) => setUser(event.currentTarget.value)}
          />
        </label>
        <label>
          {t("password")}
          <input
            name="password"
            type="password"
            autocomplete="current-password"
            required
            value={password}
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
        </label>
        <Fault error={action.error} />
        <button class="main" disabled={action.busy}>
          {t("log_in")}
        </button>
      </form>
      )}
      {ways.log_in.includes("oidc") && (
        <a class="button" href="/v1/session/oidc">
          {ways.title || t("log_in_oidc")}
        </a>
      )}
    </main>
  );
}
