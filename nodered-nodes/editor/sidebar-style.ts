/** Colours come from the theme, so that it is dark where the editor is. */
export const SIDEBAR_STYLE = `
.pipevine-sidebar { display: flex; flex-direction: column; height: 100%; color: var(--red-ui-primary-text-color); }
.pipevine-sidebar .pipevine-head { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; padding: 6px 8px;
  border-bottom: 1px solid var(--red-ui-secondary-border-color); }
.pipevine-sidebar .pipevine-head select { flex: 1 1 100%; width: auto; margin: 0; }
.pipevine-sidebar .pipevine-head input[type=search] { flex: 1; min-width: 60px; width: auto; margin: 0; box-sizing: border-box; height: 28px; padding: 3px 8px; }
.pipevine-sidebar .pipevine-state { flex: 1 1 100%; font-size: 12px; color: var(--red-ui-secondary-text-color); overflow-wrap: anywhere; }
.pipevine-sidebar .pipevine-state .error { color: var(--red-ui-text-color-error); }
.pipevine-sidebar .pipevine-tree { flex: 1; overflow-y: auto; padding: 4px 0 12px; }
.pipevine-sidebar .pipevine-empty { padding: 16px; line-height: 1.5; color: var(--red-ui-secondary-text-color); }
.pipevine-sidebar .pipevine-empty ol { margin: 8px 0 12px; padding-left: 20px; }
.pipevine-sidebar .pipevine-row, .pipevine-sidebar .pipevine-row.red-ui-palette-node {
  display: flex; align-items: center; gap: 6px; width: auto; height: auto; min-height: 26px; margin: 0 !important; padding: 1px 8px;
  border: none; border-radius: 0; box-shadow: none; background: none; box-sizing: border-box; cursor: default; position: static; }
.pipevine-sidebar .pipevine-row:hover { background: var(--red-ui-list-item-background-hover); }
.pipevine-sidebar .pipevine-row:focus { outline: 2px solid var(--red-ui-form-input-focus-color); outline-offset: -2px; }
.pipevine-sidebar .pipevine-row[aria-level="1"] { font-weight: bold; background: var(--red-ui-tertiary-background); cursor: pointer; }
.pipevine-sidebar .pipevine-row[aria-level="2"] { padding-left: 14px; cursor: pointer; }
.pipevine-sidebar .pipevine-row[aria-level="3"] { padding-left: 38px; }
.pipevine-sidebar .pipevine-row.pipevine-draggable { cursor: move; }
.pipevine-sidebar .pipevine-row > .fa:first-child { width: 12px; text-align: center; }
.pipevine-sidebar .pipevine-name { flex: 0 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.pipevine-sidebar .pipevine-more { flex: 0 100 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 12px;
  color: var(--red-ui-secondary-text-color); }
.pipevine-sidebar .pipevine-value { margin-left: auto; max-width: 45%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  font-family: var(--red-ui-monospace-font); font-size: 12px; color: var(--red-ui-primary-text-color); }
.pipevine-sidebar .pipevine-value.failed { color: var(--red-ui-text-color-error); }
.pipevine-sidebar .pipevine-row button { flex: none; padding: 0 4px; border: none; background: none; color: var(--red-ui-secondary-text-color);
  display: none; cursor: pointer; }
.pipevine-sidebar .pipevine-row:hover button, .pipevine-sidebar .pipevine-row:focus-within button { display: block; }
.pipevine-sidebar .pipevine-row button:first-of-type { margin-left: auto; }
.pipevine-sidebar .pipevine-value + button { margin-left: 0 !important; }
.pipevine-sidebar .pipevine-dot { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--red-ui-node-status-colors-grey); }
.pipevine-sidebar .pipevine-dot.good { background: var(--red-ui-node-status-colors-green); }
.pipevine-sidebar .pipevine-dot.fair { background: var(--red-ui-node-status-colors-yellow); }
.pipevine-sidebar .pipevine-dot.bad { background: var(--red-ui-node-status-colors-red); }
.pipevine-sidebar .pipevine-row:has(.pipevine-route) { align-items: flex-start; }
.pipevine-sidebar .pipevine-route { display: block; font-size: 12px; color: var(--red-ui-secondary-text-color); overflow-wrap: anywhere; white-space: normal; }
.pipevine-drag.red-ui-palette-node { background: #8fb996; color: #191919; width: auto; min-width: 120px;
  padding: 0 10px; white-space: nowrap; z-index: 1000; }
`;
