import { memo, type ReactElement } from "react";

import { RowButton } from "../../view/RowButton";
import type { Slide } from "../api/types";
import { navigate, slideHref } from "../route";
import { slideTexts } from "../texts";
import { cancel } from "./actions";
import { readOrAskScale } from "./keyboard";
import { nameOf, shortNameOf, SlideStatus } from "./SlideStatus";
import { isUnderWay, selectSlide } from "./store";
import { Thumbnail } from "./Thumbnail";

interface Props {
  slide: Slide;
  selected: boolean;
  /** Whether Tab stops here: at one row of the list, the arrow keys go on from it. */
  reachable: boolean;
}

export const SlideRow = memo(function SlideRow({
  slide,
  selected,
  reachable,
}: Props): ReactElement {
  return (
    <div
      data-slide={slide.id}
      className={`flex items-center rounded-lg ${selected ? "bg-accent-soft" : "hover:bg-sunken"}`}
    >
      <button
        type="button"
        tabIndex={reachable ? 0 : -1}
        aria-current={selected}
        onClick={() => {
          selectSlide(slide.id);
        }}
        onDoubleClick={() => {
          navigate(slideHref(slide.id));
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !selected) return;
          event.preventDefault();
          navigate(slideHref(slide.id));
        }}
        className="flex min-h-18 min-w-0 flex-1 items-center gap-3 rounded-lg p-1.5 text-left"
      >
        <Thumbnail slide={slide} className="size-15" />
        <RowText slide={slide} />
      </button>
      {slide.state !== "read" && <RowAction slide={slide} reachable={reachable} />}
    </div>
  );
});

function RowText({ slide }: { slide: Slide }): ReactElement {
  const { review, progress } = slide;
  const figures = figuresOf(slide);
  return (
    <span className="min-w-0 flex-1">
      <span className="flex items-baseline gap-2 text-sm">
        <span className="min-w-0 truncate font-medium" title={nameOf(slide)}>
          {shortNameOf(slide)}
        </span>
        {slide.case && (
          <span className="ml-auto max-w-[40%] shrink-0 truncate text-xs text-quiet">
            {slide.case}
          </span>
        )}
      </span>
      <span className="flex min-h-5 flex-wrap items-center gap-x-1.5 text-xs text-quiet">
        <SlideStatus slide={slide} />
      </span>
      {(figures || review) && (
        <span className="block truncate text-xs text-quiet">
          {[figures, review && slideTexts.review.you[review.agreement]].filter(Boolean).join(" · ")}
        </span>
      )}
      {slide.state === "reading" && progress && progress.total > 0 && (
        <span className="mt-1 block h-1 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
          <span
            className="block h-full bg-accent"
            style={{ width: `${(100 * progress.done) / progress.total}%` }}
          />
        </span>
      )}
    </span>
  );
}

function figuresOf({ verdict, unanswered, positive_mm2, read_share }: Slide): string {
  const hasFigures = verdict !== null && unanswered !== "no_tissue";
  return hasFigures ? slideTexts.row.figures(positive_mm2, read_share) : "";
}

function RowAction({ slide, reachable }: { slide: Slide; reachable: boolean }): ReactElement {
  const underWay = isUnderWay(slide);
  const name = underWay ? slideTexts.panel.cancel : slideTexts.panel.read;
  return (
    <RowButton
      name={name}
      of={nameOf(slide)}
      icon={underWay ? "close" : slide.state === "unread" ? "next" : "retry"}
      reachable={reachable}
      act={() => {
        if (underWay) void cancel(slide);
        else readOrAskScale(slide);
      }}
    />
  );
}
