import { type ReactElement, useRef } from "react";

import type { Health } from "../api/types";
import { type Session, useSession } from "../session/store";
import { texts } from "../texts";
import { Dialog } from "./Dialog";
import { DefinitionList } from "./DefinitionList";
import { modelFacts } from "./provenance";

type State = "checking" | "ready" | "loading" | "lost";

const DOTS: Record<State, string> = {
  checking: "bg-edge",
  ready: "bg-no",
  loading: "bg-unsure",
  lost: "bg-yes",
};

export function stateOf({ connection, health }: Session): State {
  if (connection === "lost") return "lost";
  if (!health) return "checking";
  return health.ready ? "ready" : "loading";
}

/** How the service is, in a word; everything about it on request. */
export function ServiceStatus(): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const state = useSession(stateOf);
  const health = useSession((session) => session.health);
  const { title } = texts.service;
  return (
    <>
      <button
        type="button"
        className="button min-w-0"
        title={title}
        onClick={() => dialog.current?.showModal()}
      >
        <span className={`size-2.5 shrink-0 rounded-full ${DOTS[state]}`} />
        <span className="sr-only">{title}: </span>
        <span>{texts.service[state]}</span>
        <span className="hidden max-w-[40ch] truncate font-normal text-quiet md:inline">
          {summaryOf(health)}
        </span>
      </button>
      <Dialog ref={dialog} title={title}>
        <p className="mb-3 flex items-center gap-2 font-medium">
          <span className={`size-2.5 rounded-full ${DOTS[state]}`} />
          {texts.service[state]}
        </p>
        {state === "lost" && <p className="mb-3 text-sm">{texts.service.lostDetail}</p>}
        {health && <About health={health} />}
      </Dialog>
    </>
  );
}

function summaryOf(health: Health | null): string {
  return health?.model
    ? `${health.model.id} · ${health.model.device.toUpperCase()}`
    : (health?.engine ?? "");
}

function About({ health }: { health: Health }): ReactElement {
  const { provenance, service } = texts;
  const { model, limits } = health;
  return (
    <>
      {health.reason && <p className="mb-3 text-sm">{service.loadingDetail(health.reason)}</p>}
      <DefinitionList
        facts={[
          ...(model ? [] : [[provenance.engine, health.engine] as const]),
          [service.why, health.engine_reason],
          ...(model ? modelFacts(model) : []),
          [service.version, health.version],
          [service.warnings, health.warnings.join(" ")],
        ]}
      />
      <p className="mt-3 text-sm text-quiet">
        {texts.intake.limits(limits.formats, limits.max_bytes, limits.max_pixels)}
      </p>
    </>
  );
}
