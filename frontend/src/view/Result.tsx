import { type ReactElement, useEffect, useState } from "react";

import type { GateReason } from "../api/types";
import { type Item, type Trouble } from "../session/item";
import { retry } from "../session/queue";
import { texts } from "../texts";
import { Findings } from "./Findings";
import { Icon } from "./icons";
import { Provenance } from "./Provenance";
import { Reading } from "./Reading";
import { Happening } from "./Row";
import { VerdictCard } from "./VerdictCard";

const NOT_ASSESSABLE = "image_not_assessable";

export function Result({ item }: { item: Item }): ReactElement {
  const { phase, verdict } = item;
  return (
    <div className="mx-auto grid max-w-3xl grid-cols-1 gap-5 wide:max-w-none">
      {phase.is === "failed" && <Failed item={item} trouble={phase.trouble} />}
      {phase.is === "cancelled" && <Cancelled item={item} />}
      {verdict ? <Answered key={item.id} item={{ ...item, verdict }} /> : phase.is !== "failed" && phase.is !== "cancelled" && <Awaited item={item} />}
    </div>
  );
}

function Answered({ item }: { item: Item & { verdict: NonNullable<Item["verdict"]> } }): ReactElement {
  const { verdict } = item;
  const warnings = verdict.gate?.warnings ?? [];
  return (
    <>
      <VerdictCard verdict={verdict} />
      <section className="min-h-20">
        <h3 className="heading mb-1">{texts.verdict.explanation}</h3>
        <p aria-busy={item.phase.is === "explaining"}>
          {item.explanation || (item.phase.is === "explaining" && <span className="text-quiet">{texts.phase.explaining}</span>)}
        </p>
      </section>
      {warnings.length > 0 && <GateWarnings warnings={warnings} />}
      {verdict.findings.length > 0 && <Findings findings={verdict.findings} />}
      <Reading item={item} />
      <Provenance verdict={verdict} answer={item.answer} />
    </>
  );
}

function GateWarnings({ warnings }: { warnings: GateReason[] }): ReactElement {
  return (
    <section className="rounded-lg bg-unsure-soft p-3 text-sm">
      <h3 className="flex items-center gap-2 font-semibold">
        <Icon name="warning" className="text-unsure" />
        {texts.verdict.gate}
      </h3>
      <Sentences reasons={warnings} />
      <p className="mt-1 text-quiet">{texts.verdict.gateAsked}</p>
    </section>
  );
}

function Sentences({ reasons }: { reasons: GateReason[] }): ReactElement {
  return (
    <ul className="mt-1 grid list-disc gap-1 pl-5">
      {reasons.map((reason) => <li key={reason.code}>{reason.sentence}</li>)}
    </ul>
  );
}

function Failed({ item, trouble }: { item: Item; trouble: Trouble }): ReactElement {
  const gate = trouble.code === NOT_ASSESSABLE;
  return (
    <section className="rounded-xl border border-line bg-surface p-4">
      <h3 className="flex items-start gap-2 text-lg font-semibold">
        <Icon name="failed" className="mt-0.5 size-6 text-quiet" />
        {trouble.title}
      </h3>
      <div className="mt-2">{gate && trouble.reasons ? <Sentences reasons={trouble.reasons} /> : <p>{trouble.detail}</p>}</div>
      <div className="mt-4 flex flex-wrap gap-2">
        {gate && <button type="button" className="button" onClick={() => { retry(item.id, "warn"); }}>{texts.action.warn}</button>}
        <button type="button" className="button" onClick={() => { retry(item.id, item.gate); }}>
          <Icon name="retry" className="size-4" />
          {texts.action.retry}
        </button>
      </div>
    </section>
  );
}

function Cancelled({ item }: { item: Item }): ReactElement {
  return (
    <section className="rounded-xl border border-line bg-surface p-4">
      <h3 className="text-lg font-semibold">{texts.phase.cancelled}</h3>
      <p className="mt-1">{texts.phase.cancelledMeans}</p>
      <button type="button" className="button mt-4" onClick={() => { retry(item.id, item.gate); }}>
        <Icon name="retry" className="size-4" />
        {texts.action.retry}
      </button>
    </section>
  );
}

function Awaited({ item }: { item: Item }): ReactElement {
  return (
    <section className="rounded-xl border border-line bg-surface p-4" aria-busy="true">
      <h3 className="flex items-center gap-2 text-lg font-semibold">
        <Icon name="open" className="size-6 text-quiet" />
        {item.phase.is === "looking" ? <Looking since={item.phase.since} /> : <Happening item={item} />}
      </h3>
      <p className="mt-2 text-quiet">{texts.phase.wait}</p>
    </section>
  );
}

function Looking({ since }: { since: number }): ReactElement {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => { setNow(Date.now()); }, 1000);
    return () => { clearInterval(timer); };
  }, []);
  const passed = now - since;
  return <span className="tabular-nums">{passed < 2000 ? texts.phase.looking : texts.phase.lookingFor(Math.floor(passed / 1000))}</span>;
}
