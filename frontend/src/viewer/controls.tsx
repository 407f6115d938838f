import type { ReactElement } from "react";

import { texts } from "../texts";
import { Icon, type IconName } from "../view/icons";
import { scaleBar } from "./scalebar";

const BAR_ROOM = 140;

interface ControlProps {
  icon: IconName;
  name: string;
  act: () => void;
  id?: string;
  /** Of a switch: whether it is on. */
  pressed?: boolean;
  disabled?: boolean;
}

/** A button over a picture. */
export function Control({
  icon,
  name,
  act,
  id,
  pressed,
  disabled = false,
}: ControlProps): ReactElement {
  return (
    <button
      type="button"
      id={id}
      className="button button-icon shadow-sm"
      aria-label={name}
      aria-pressed={pressed}
      disabled={disabled}
      title={name}
      onClick={act}
    >
      <Icon name={icon} className="size-4" />
    </button>
  );
}

export function FullScreen({
  frame,
}: {
  frame: React.RefObject<HTMLDivElement>;
}): ReactElement | null {
  if (!document.fullscreenEnabled) return null;
  const toggle = (): void => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void frame.current?.requestFullscreen();
  };
  return <Control id="full-screen" icon="full" name={texts.viewer.full} act={toggle} />;
}

/** `mpp` is micrometres for each pixel of the screen. */
export function ScaleBar({ mpp }: { mpp: number }): ReactElement {
  const { micrometres, pixels } = scaleBar(mpp, BAR_ROOM);
  return (
    <div className="pointer-events-none absolute bottom-3 left-3 rounded bg-black/70 px-2 pb-1.5 pt-0.5 text-center text-xs font-medium text-white">
      {texts.viewer.micrometres(micrometres)}
      <div className="h-1.5 border-2 border-t-0 border-white" style={{ width: `${pixels}px` }} />
    </div>
  );
}
