import type { Viewer } from "openseadragon";

/** Viewers that show the same part of their pictures. */
export class ViewSync {
  private on = true;
  private viewers = new Set<Viewer>();
  private following = false;

  /** Returns how to leave. */
  add(viewer: Viewer): () => void {
    this.viewers.add(viewer);
    viewer.addHandler("zoom", () => {
      this.follow(viewer);
    });
    viewer.addHandler("pan", () => {
      this.follow(viewer);
    });
    return () => {
      this.viewers.delete(viewer);
    };
  }

  setEnabled(on: boolean): void {
    this.on = on;
  }

  private follow(leader: Viewer): void {
    if (!this.on || this.following) return;
    this.following = true; // what the others do now is no lead
    for (const viewer of this.viewers) {
      if (viewer === leader || !viewer.isOpen()) continue;
      viewer.viewport.zoomTo(leader.viewport.getZoom());
      viewer.viewport.panTo(leader.viewport.getCenter());
    }
    this.following = false;
  }
}
