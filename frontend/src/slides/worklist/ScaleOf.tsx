import type { ReactElement } from "react";

import type { Slide } from "../api/types";
import { read, readWithScale } from "./actions";
import { ScaleForm } from "./ScaleForm";
import { useSlides } from "./store";

/** The scale of a slide that states none, or of all such slides of the folder. */
export function ScaleOf({ slide }: { slide: Slide }): ReactElement {
  const others = useSlides((session) => session.withoutScale - 1);
  return (
    <ScaleForm
      others={others}
      onScale={(mpp, all) => void (all ? readWithScale(mpp) : read(slide, mpp))}
    />
  );
}
