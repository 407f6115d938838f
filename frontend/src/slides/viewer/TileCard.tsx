import type { ReactElement } from "react";

import { texts as shared } from "../../texts";
import { Findings } from "../../view/Findings";
import { Icon } from "../../view/icons";
import { percent } from "../../view/numbers";
import { VERDICT_COLOURS } from "../../view/verdictColours";
import type { SlideTile } from "../api/types";
import { setSlide, type TileAnswer, useSlideSession } from "./session";
import { texts } from "./texts";

const SHOWN = 4; // the rest would hide the slide

/** What was read at the place that was clicked. */
export function TileCard(): ReactElement | null {
  const answer = useSlideSession((session) => session.tile);
  if (!answer) return null;
  return (
    <section
      aria-label={texts.tile.title}
      className="absolute bottom-2 right-14 max-h-[calc(100%-4rem)] max-sm:max-h-[45%] w-64 max-w-[calc(100%-4.5rem)] overflow-y-auto rounded-lg border border-line bg-surface p-3 text-sm shadow-lg"
    >
      <div className="flex items-start justify-between gap-2">
        <h3 className="heading">{texts.tile.title}</h3>
        <button
          type="button"
          className="button button-icon -mr-1 -mt-1 size-7 min-h-7"
          aria-label={texts.tile.close}
          title={texts.tile.close}
          onClick={() => {
            setSlide({ tile: null });
          }}
        >
          <Icon name="close" className="size-4" />
        </button>
      </div>
      <div role="status">
        <Content answer={answer} />
      </div>
      <p className="mt-2 text-xs text-quiet tabular-nums">
        {texts.tile.at(Math.round(answer.at.x), Math.round(answer.at.y))}
      </p>
    </section>
  );
}

function Content({ answer }: { answer: TileAnswer }): ReactElement {
  switch (answer.is) {
    case "fetching":
      return <p>{texts.tile.fetching}</p>;
    case "failed":
      return <p>{answer.sentence}</p>;
    case "none":
      return (
        <p>{answer.reason === undefined ? texts.tile.none : texts.tile.notRead(answer.reason)}</p>
      );
    case "read":
      return <Read tile={answer.tile} />;
  }
}

function Read({ tile }: { tile: SlideTile }): ReactElement {
  const { verdict, probability, second, reasons, problem } = tile;
  if (problem !== null) return <p>{texts.tile.problem(problem)}</p>;
  if (verdict === null || probability === null) return <p>{texts.tile.refused(reasons)}</p>;
  return (
    <>
      <p
        className={`flex items-center gap-2 text-lg font-semibold ${VERDICT_COLOURS[verdict].text}`}
      >
        <Icon name={verdict} className="size-6" />
        {shared.verdict.words[verdict]}
        <span className="ml-auto tabular-nums">{percent(probability)}</span>
      </p>
      {second !== null && (
        <p className="mb-2">
          {texts.tile.second}: {shared.verdict.words[second]}
        </p>
      )}
      <Findings findings={tile.findings.slice(0, SHOWN)} rule={null} />
    </>
  );
}
