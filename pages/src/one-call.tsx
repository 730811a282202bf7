/** The page of one call, which entries in a CRM link to. */
import { useEffect, useState } from "preact/hooks";

import { api } from "./api";
import { isOpen, partOf } from "./call";
import { CallCard } from "./call-card";
import { Fault, useAction, useChanges, useDesk } from "./desk";

export function OneCall({ id }: { id: string }) {
  const { feed, me, go } = useDesk();
  useChanges(feed);
  const action = useAction();
  const [found, setFound] = useState(id);
  useEffect(() => {
    action.run(async () => {
      const call = await api.call(id);
      setFound(call.id); // it may have become a part of another one
      feed.take(call);
    });
  }, [id]);
  const call = feed.calls.get(found);
  const part = call ? partOf(call, me.user.key) : "none";
  // One that is on the telephone stands with the others of now.
  if (!call || isOpen(part)) return <Fault error={action.error} />;
  return <CallCard call={call} part={part === "none" && call.state === "ended" ? "over" : part} close={() => go("/")} />;
}
