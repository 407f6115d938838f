import { type ReactElement, useCallback, useEffect, useState } from "react";

import { exportName } from "../../export/download";
import { texts } from "../../texts";
import { DefinitionList } from "../../view/DefinitionList";
import { Icon } from "../../view/icons";
import { percent } from "../../view/numbers";
import { SLIDE_PATHS } from "../api/paths";
import { fetchSlide } from "../api/slides";
import type { Slide, SlideDetail } from "../api/types";
import { slideHref } from "../route";
import { needsScale, slideSentenceOf } from "../problems";
import { SlideReview } from "../review/SlideReview";
import { slideTexts } from "../texts";
import { area } from "../numbers";
import { cancel, download, read } from "./actions";
import { CaseLine } from "./CaseLine";
import { ScaleOf } from "./ScaleOf";
import { nameOf, SlideStatus } from "./SlideStatus";
import { asRead, indexOf, isUnderWay, refresh, slideAt, useSlides } from "./store";
import { Thumbnail } from "./Thumbnail";

const { panel: words } = slideTexts;

/** The selected slide, in short: its page has the rest. */
export function SlidePanel(): ReactElement {
  const selected = useSlides((session) => session.selected);
  const listed = useSlides((session) => slideAt(session, indexOf(session, session.selected)));
  const [detail, fetchAgain] = useDetail(selected, listed);
  const saved = useCallback(() => {
    fetchAgain();
    void refresh();
  }, [fetchAgain]);
  const reading = useSlides((session) => session.reading);
  const known = detail?.id === selected ? asRead(detail, reading) : undefined;
  const slide = listed ?? known;
  if (!slide) return <p className="p-6 text-center text-sm text-quiet">{words.none}</p>;
  return (
    <div className="mx-auto grid max-w-5xl content-start gap-4 p-4">
      <Bar slide={slide} />
      <Summary slide={slide} detail={known} />
      {needsScale(slide) && <ScaleOf key={slide.id} slide={slide} />}
      {slide.case && <CaseLine name={slide.case} />}
      {slide.verdict && (
        <div className="border-t border-line pt-4">
          <SlideReview
            key={slide.id}
            slide={slide.id}
            region={null}
            reviews={known?.reviews ?? []}
            onSaved={saved}
          />
        </div>
      )}
    </div>
  );
}

interface SummaryProps {
  slide: Slide;
  detail: SlideDetail | undefined;
}

function Summary({ slide, detail }: SummaryProps): ReactElement {
  return (
    <div className="grid gap-4 sm:grid-cols-[minmax(0,16rem)_minmax(0,1fr)]">
      <a href={slideHref(slide.id)} aria-label={texts.action.of(words.open, nameOf(slide))}>
        <Thumbnail slide={slide} className="h-48 w-full sm:h-64" />
      </a>
      <div className="grid content-start gap-3">
        <p className="flex flex-wrap items-center gap-x-2 text-base">
          <SlideStatus slide={slide} />
        </p>
        <Explanation slide={slide} detail={detail} />
        <DefinitionList facts={factsOf(slide)} />
      </div>
    </div>
  );
}

/** All of a slide, again whenever the list has news of it, or leaves it out. */
function useDetail(
  id: string | null,
  listed: Slide | undefined,
): [SlideDetail | undefined, () => void] {
  const [detail, setDetail] = useState<SlideDetail>();
  const [asked, setAsked] = useState(0);
  const fetched = useSlides((session) => session.fetched);
  const news = listed
    ? [listed.state, listed.updated, listed.review?.at].join(" ")
    : `unlisted ${fetched}`;
  useEffect(() => {
    if (id === null) return;
    let stopped = false;
    void fetchSlide(id).then((result) => {
      if (!stopped && result.is === "answered") setDetail(result.value);
    });
    return () => {
      stopped = true;
    };
  }, [id, news, asked]);
  return [
    detail,
    useCallback(() => {
      setAsked((count) => count + 1);
    }, []),
  ];
}

function Bar({ slide }: { slide: Slide }): ReactElement {
  const underWay = isUnderWay(slide);
  const answered = slide.state === "read" || slide.state === "stale";
  return (
    <div className="flex flex-wrap items-center gap-2">
      <button
        type="button"
        className="button lg:hidden"
        onClick={() => {
          useSlides.setState({ showsDetail: false });
        }}
      >
        <Icon name="back" className="size-4" />
        {texts.action.back}
      </button>
      <h2 className="min-w-0 flex-1 basis-48 text-base font-semibold wrap-anywhere">
        {nameOf(slide)}
      </h2>
      <a href={slideHref(slide.id)} className="button button-main">
        {words.open}
      </a>
      {slide.state !== "read" && !needsScale(slide) && (
        <button
          type="button"
          className="button"
          onClick={() => void (underWay ? cancel(slide) : read(slide))}
        >
          {underWay ? words.cancel : answered ? words.again : words.read}
        </button>
      )}
      {answered && (
        <button
          type="button"
          className="button"
          onClick={() =>
            void download(SLIDE_PATHS.report(slide.id), exportName("slide-report", "pdf"))
          }
        >
          <Icon name="report" className="size-4" />
          {words.report}
        </button>
      )}
    </div>
  );
}

/** In sentences: the answer, or why there is none. */
function Explanation({ slide, detail }: SummaryProps): ReactElement {
  const sentences = [
    ...sentencesOfState(slide),
    ...(detail?.answer ? [detail.answer.sentence, ...detail.answer.warnings] : []),
    ...(slide.probability !== null && !slide.calibrated ? [slideTexts.uncalibratedMeans] : []),
  ];
  return (
    <div className="grid gap-1 text-sm">
      {sentences.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </div>
  );
}

function sentencesOfState({ state, problem, stale_reason }: Slide): string[] {
  switch (state) {
    case "stale":
      return [slideTexts.staleMeans(stale_reason)];
    case "failed":
      return problem ? [slideSentenceOf(problem)] : [];
    case "cancelled":
      return [slideTexts.cancelledMeans];
    case "unread":
      return [slideTexts.unreadMeans];
    case "queued":
      return [slideTexts.queuedMeans];
    case "reading":
    case "read":
      return [];
  }
}

function factsOf(slide: Slide): (readonly [string, string])[] {
  const { second_answer: second, positive_mm2, read_share, tissue_mm2, regions, mpp } = slide;
  const scale = mpp ? [[words.scale, words.mpp(mpp.x, mpp.source)] as const] : [];
  if (slide.unanswered === "no_tissue") return scale;
  return [
    ...(second
      ? [
          [
            words.second,
            `${texts.verdict.words[second.verdict]}, ${percent(second.probability)}`,
          ] as const,
        ]
      : []),
    ...(positive_mm2 === null ? [] : [[words.positive, area(positive_mm2)] as const]),
    ...(read_share === null
      ? []
      : [[words.coverage, words.coverageOf(read_share, tissue_mm2)] as const]),
    ...(regions === null ? [] : [[words.regions, String(regions)] as const]),
    ...scale,
  ];
}
