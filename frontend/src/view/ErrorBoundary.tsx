import { Component, type ReactElement, type ReactNode } from "react";

import { texts } from "../texts";

/** Where the page itself fails, the tiles do not: they live outside of what is drawn. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    return this.state.failed ? this.fallback() : this.props.children;
  }

  private fallback(): ReactElement {
    return (
      <main className="grid min-h-dvh place-content-center gap-4 p-6 text-center">
        <h1 className="text-xl font-semibold">{texts.pageError.title}</h1>
        <p>{texts.pageError.detail}</p>
        <p>
          <button
            type="button"
            className="button button-main"
            onClick={() => {
              this.setState({ failed: false });
            }}
          >
            {texts.pageError.again}
          </button>
        </p>
      </main>
    );
  }
}
