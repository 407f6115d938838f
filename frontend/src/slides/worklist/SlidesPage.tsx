import type { ReactElement } from "react";

export function SlidesPage(): ReactElement {
  return <main id="result" tabIndex={-1} className="flex-1 p-4" />;
}
