import { type ReactElement, type ReactNode, useEffect, useState } from "react";

import { checkHealthNow } from "../session/health";
import { sendWaiting } from "../session/queue";
import { discardRemoved, undoRemoval } from "../session/removal";
import { setState, useSession } from "../session/store";
import { texts } from "../texts";
import { Icon, type IconName } from "./icons";
import { KeyForm } from "./KeyForm";
import { stateOf } from "./Service";

/** What keeps the queue from going on, and what is done about it. Laid over the page: nothing moves. */
export function Alerts(): ReactElement {
  const state = useSession(stateOf);
  const pause = useSession((session) => session.pause);
  const keyRequest = useSession((session) => session.keyRequest);
  const notice = useSession((session) => session.notice);
  const reason = useSession((session) => session.health?.reason ?? "");
  return (
    <div className="pointer-events-none fixed inset-x-0 bottom-0 z-30 p-3">
      <div role="status" className="flex flex-col items-center">
        <Removed />
      </div>
      <div role="alert" className="flex flex-col items-center gap-2">
        {notice && (
          <Alert
            act={() => {
              setState({ notice: null });
            }}
            icon="close"
            name={texts.action.close}
          >
            {notice}
          </Alert>
        )}
        {state === "lost" && <Alert act={checkHealthNow}>{texts.service.lostDetail}</Alert>}
        {state === "loading" && (
          <Alert act={checkHealthNow}>{texts.service.loadingDetail(reason)}</Alert>
        )}
        {state === "ready" && pause && <Paused key={pause.until} {...pause} />}
        {state === "ready" && keyRequest && <KeyForm why={keyRequest} />}
      </div>
    </div>
  );
}

/** Stays until it is closed: nobody has to be quick to undo. */
function Removed(): ReactElement | null {
  const removal = useSession((session) => session.removal);
  if (!removal) return null;
  return (
    <div className="pointer-events-auto mb-2 flex w-full max-w-md items-center gap-3 rounded-xl border border-edge bg-surface py-2 pl-4 pr-2 text-sm shadow-lg">
      <p className="line-clamp-2 min-w-0 flex-1 wrap-anywhere">
        {texts.action.removed(removal.removed.map(({ item }) => item.name))}
      </p>
      <button type="button" className="button" onClick={undoRemoval}>
        <Icon name="undo" className="size-4" />
        {texts.action.undo}
      </button>
      <button
        type="button"
        className="button button-icon"
        aria-label={texts.action.close}
        onClick={discardRemoved}
      >
        <Icon name="close" className="size-4" />
      </button>
    </div>
  );
}

function Paused({ until, why }: { until: number; why: string }): ReactElement {
  const seconds = useSecondsTo(until);
  const goOn = (): void => {
    setState({ pause: null });
    sendWaiting();
  };
  return (
    <Alert act={goOn}>
      <span aria-live="off">{texts.service.paused(why, seconds)}</span>
    </Alert>
  );
}

interface AlertProps {
  act: () => void;
  icon?: IconName;
  name?: string;
  children: ReactNode;
}

function Alert({
  act,
  icon = "retry",
  name = texts.service.now,
  children,
}: AlertProps): ReactElement {
  return (
    <div className="pointer-events-auto flex max-w-2xl flex-wrap items-center gap-x-4 gap-y-2 rounded-xl border border-unsure bg-unsure-soft px-4 py-3 text-sm shadow-lg sm:flex-nowrap">
      <Icon name="warning" className="size-6 text-unsure" />
      <p className="min-w-0 flex-1 basis-52">{children}</p>
      <button type="button" className="button" onClick={act}>
        <Icon name={icon} className="size-4" />
        {name}
      </button>
    </div>
  );
}

function useSecondsTo(until: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 500);
    return () => {
      clearInterval(timer);
    };
  }, []);
  return Math.max(0, Math.ceil((until - now) / 1000));
}
