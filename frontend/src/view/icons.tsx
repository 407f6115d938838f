import type { ReactElement } from "react";

/** Strokes on a grid of 24; each says nothing to a screen reader, the text beside it does. */
const PATHS = {
  yes: "M12 3.5 21 20H3zM12 10v4.5M12 17.2v.1",
  no: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 12h8",
  indeterminate:
    "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.6 9.4a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2 1-1.2 1.8M12 16.6v.1",
  failed: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM6 6l12 12",
  open: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3",
  folder: "M3 6a1 1 0 0 1 1-1h5l2 2h9a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1z",
  camera:
    "M4 8h3l1.5-3h7L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  add: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  retry: "M4 12a8 8 0 0 1 13.7-5.6L20 9M20 4v5h-5M20 12a8 8 0 0 1-13.7 5.6L4 15M4 20v-5h5",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  report: "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
  full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  home: "M4 11l8-7 8 7M6 10v9h12v-9",
  agree: "M5 12.5l4.5 4.5L19 7.5",
  disagree: "M6 6l12 12M18 6 6 18",
  help: "M9.2 9a2.9 2.9 0 1 1 4.2 2.6c-.9.5-1.4 1.2-1.4 2.2M12 17.3v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  theme: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 3v18M12 7l6-1.5M12 11h8.8M12 15h8.4M12 19h5",
  warning: "M12 3.5 21 20H3zM12 10v4.5M12 17.2v.1",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  undo: "M9 14l-5-5 5-5M4 9h10a5.5 5.5 0 0 1 0 11h-3",
  duplicate: "M8 8h12v12H8zM16 8V4H4v12h4",
  precursor: "M6 21V4M6 4h12l-3 4.5L18 13H6",
  ruler: "M3.5 15.5 15.5 3.5l5 5-12 12zM7 12l2 2M10 9l2.5 2.5M13 6l2 2",
  windows: "M4 4h16v16H4zM4 12h16M12 4v16",
} as const;

export type IconName = keyof typeof PATHS;

/** 20 pixels wide, unless a class says otherwise: a drawing without a size fills what it stands in. */
export function Icon({
  name,
  className = "",
}: {
  name: IconName;
  className?: string;
}): ReactElement {
  return (
    <svg
      viewBox="0 0 24 24"
      width="20"
      height="20"
      className={`${className} shrink-0`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo(): ReactElement {
  return (
    <svg viewBox="0 0 32 32" className="size-8 shrink-0" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#7a2e5d" />
      <path d="M14 7h4v7h7v4h-7v7h-4v-7H7v-4h7z" fill="#fff" />
    </svg>
  );
}
