import type { ReactElement } from "react";

import { SlideReview } from "../review/SlideReview";
import { loadReviews } from "./reading";
import { useSlideSession } from "./session";

const saved = (): void => void loadReviews();

/** The reader's word on the slide, or on a region of it by its number. */
export function ReaderWord({ region }: { region: number | null }): ReactElement | null {
  const slide = useSlideSession((session) => session.slide);
  if (!slide?.answer) return null;
  return <SlideReview slide={slide.id} region={region} reviews={slide.reviews} onSaved={saved} />;
}
