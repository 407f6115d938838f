import { type ReactElement, useState } from "react";

import { percent } from "../../view/numbers";
import type { Patch, Region } from "../api/types";
import { openRegion } from "./actions";
import { Crop } from "./Crop";
import { ReaderWord } from "./ReaderWord";
import { isDoubtful, useSlideSession } from "./session";
import { texts } from "./texts";

const SHOWN = 12;

/** The regions, ranked, each opening its place. */
export function Gallery(): ReactElement | null {
  const regions = useSlideSession((session) => session.regions);
  const selected = useSlideSession((session) => session.selected);
  const state = useSlideSession(({ slide }) => slide?.state);
  const [all, setAll] = useState(false);
  if (regions.length === 0 && state !== "read" && state !== "reading") return null;
  // The one that is selected is in sight, wherever it stands.
  const shown = all || (selected ?? 0) >= SHOWN ? regions : regions.slice(0, SHOWN);
  return (
    <section>
      <h3 className="heading mb-2">{texts.regions.title}</h3>
      {regions.length === 0 ? (
        <p className="text-sm text-quiet">
          {state === "reading" ? texts.regions.noneYet : texts.regions.none}
        </p>
      ) : (
        <ol aria-label={texts.regions.list} className="grid gap-2">
          {shown.map((region, at) => (
            <li key={at}>
              <Entry region={region} at={at} selected={at === selected} />
            </li>
          ))}
        </ol>
      )}
      {shown.length < regions.length && (
        <button
          type="button"
          className="button mt-2"
          onClick={() => {
            setAll(true);
          }}
        >
          {texts.regions.more(regions.length)}
        </button>
      )}
    </section>
  );
}

function Entry({
  region,
  at,
  selected,
}: {
  region: Region;
  at: number;
  selected: boolean;
}): ReactElement {
  const { kind, facts, peak } = texts.regions;
  const doubtful = useSlideSession(({ slide }) => isDoubtful(slide));
  const [finding] = region.findings;
  return (
    <div
      data-region={at + 1}
      className={`rounded-lg border bg-surface ${selected ? "border-accent" : "border-line"}`}
    >
      <button
        type="button"
        aria-current={selected}
        className="flex w-full items-start gap-3 rounded-lg p-2 text-left hover:bg-sunken aria-[current=true]:bg-accent-soft"
        onClick={() => {
          openRegion(at);
        }}
      >
        <Crop box={region.box} />
        <span className="min-w-0 flex-1 text-sm">
          <span className={`block font-semibold ${colourOf(region, doubtful)}`}>
            {at + 1}. {kind(region, doubtful)}
          </span>
          <span className="block tabular-nums">{facts(region.area_mm2, region.tiles)}</span>
          <span className="block tabular-nums">{peak(region.peak)}</span>
          {finding && (
            <span className="block truncate text-quiet">
              {finding.name} {percent(finding.probability)}
            </span>
          )}
        </span>
      </button>
      <SecondOpinion region={region} />
      {selected && (
        <div className="border-t border-line p-2 empty:hidden">
          <ReaderWord region={region.id} />
        </div>
      )}
    </div>
  );
}

/** What the second model said of this region. */
function SecondOpinion({ region }: { region: Region }): ReactElement | null {
  const cascade = useSlideSession(({ slide }) => slide?.answer?.cascade);
  const patches = cascade?.patches.filter((patch) => isOf(patch, region)) ?? [];
  if (!cascade || patches.length === 0) return null;
  return (
    <div className="border-t border-line px-2 py-1.5 text-sm">
      {patches.map((patch, at) => (
        <Opinion key={at} model={cascade.model} patch={patch} />
      ))}
    </div>
  );
}

/** Patches count the regions of cancer alone. */
function isOf(patch: Patch, region: Region): boolean {
  return region.kind === "cancer" && patch.region === region.rank;
}

export function Opinion({ model, patch }: { model: string; patch: Patch }): ReactElement {
  const { said, opinions } = texts.cascade;
  return (
    <p>
      <span className="font-medium">
        {said(model)}: {opinions[patch.opinion] ?? patch.opinion}
        {patch.probability !== null && `, ${percent(patch.probability)}`}.
      </span>{" "}
      <span className="text-quiet">{patch.sentence}</span>
    </p>
  );
}

function colourOf({ kind }: Region, doubtful: boolean): string {
  if (kind !== "cancer") return "text-precursor";
  return doubtful ? "text-unsure" : "text-yes";
}
