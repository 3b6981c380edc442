import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';

const CHROMIUM = process.env.PIPEVINE_CHROMIUM ?? '/usr/bin/chromium';
const TIMEOUT_MS = 20_000;
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What the test asks of the editor's own objects. */
interface EditorRed {
  readonly nodes: { node(id: string): object | null; createCompleteNodeSet(): { readonly id: string }[] };
  readonly view: { selection(): { readonly nodes?: readonly { readonly id: string }[] } };
  readonly sidebar: { show(id: string): void };
  readonly actions: { invoke(id: string): void };
}
declare const RED: EditorRed;

/** Node-RED's editor in a real browser. All that depends on how the editor is made inside (of 5 and 4.1) is in here. */
export class EditorPage implements AsyncDisposable {
  /** What the page wrote as errors to its console, or threw, or asked of another host. */
  readonly errors: string[] = [];
  readonly #context: BrowserContext;
  readonly #page: Page;
  readonly #end: () => Promise<void>;

  /** In a browser of its own, that ends with the page. */
  static async open(url: string): Promise<EditorPage> {
    const folder = mkdtempSync(join(tmpdir(), 'pipevine-chromium-'));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: CHROMIUM,
      headless: true,
      viewport: { width: 1440, height: 900 },
      args: FLAGS,
    });
    const end = async () => {
      await context.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    };
    return EditorPage.#opened(url, context, end);
  }

  /** Another page in the same browser, which ends alone. */
  openBeside(url: string): Promise<EditorPage> {
    return EditorPage.#opened(url, this.#context, undefined);
  }

  static async #opened(url: string, context: BrowserContext, end: (() => Promise<void>) | undefined) {
    const tab = await context.newPage();
    const page = new EditorPage(context, tab, end ?? (() => tab.close()));
    try {
      await page.#open(url);
    } catch (error) {
      await page[Symbol.asyncDispose]();
      throw error;
    }
    return page;
  }

  private constructor(context: BrowserContext, page: Page, end: () => Promise<void>) {
    this.#context = context;
    this.#page = page;
    this.#end = end;
    page.setDefaultTimeout(TIMEOUT_MS);
    page.on('pageerror', (error) => this.errors.push(`thrown: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(`console: ${message.text()} ${message.location().url}`);
    });
  }

  async #open(url: string): Promise<void> {
    const { host } = new URL(url);
    await this.#page.route('**/*', (route) => {
      const asked = route.request().url();
      if (new URL(asked).host === host || asked.startsWith('data:')) return route.continue();
      this.errors.push(`asked another host: ${asked}`);
      return route.abort();
    });
    await this.#page.goto(url);
    await this.#page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden' });
    await this.#page.locator('#red-ui-workspace-chart').waitFor();
  }

  /** As a person does it: in the settings of the editor. */
  async darken(): Promise<void> {
    await this.#page.evaluate(() => RED.actions.invoke('core:show-user-settings'));
    await this.#page.locator('#user-settings-view-dark-theme').selectOption('dark');
    const ok = this.#page.locator('#node-dialog-ok');
    await ok.click();
    await ok.waitFor({ state: 'detached' });
  }

  // Palette and canvas

  /** Types in a category of the palette, as they are shown. */
  palette(category: string): Promise<string[]> {
    return this.#page
      .locator(`#red-ui-palette-container-${category} .red-ui-palette-node`)
      .evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-palette-type') ?? ''));
  }

  /** Drags a node of this type to a place on the canvas, by the pointer. Resolves with its id. */
  drag(type: string, x: number, y: number): Promise<string> {
    return this.#drop(this.#page.locator(`.red-ui-palette-node[data-palette-type='${type}']`).first(), x, y);
  }

  /** Draws a wire from the first output of one node to the input of another. */
  async wire(from: string, to: string): Promise<void> {
    const output = this.#node(from).locator('.red-ui-flow-port-output .red-ui-flow-port').first();
    const input = this.#node(to).locator('.red-ui-flow-port-input .red-ui-flow-port').first();
    const links = this.#page.locator('.red-ui-flow-link-line');
    const before = await links.count();
    await this.#dragPointer(await middle(output), await middle(input));
    await this.#page.waitForFunction(
      (count) => document.querySelectorAll('.red-ui-flow-link-line').length > count,
      before,
    );
  }

  /** The text below a node, once it is accepted. */
  async status(id: string, wanted: RegExp): Promise<void> {
    await this.#node(id).locator('.red-ui-flow-node-status-label', { hasText: wanted }).waitFor({ state: 'attached' });
  }

  label(id: string): Promise<string> {
    return this.#node(id).locator('.red-ui-flow-node-label').first().innerText();
  }

  /** A node's fields as the editor would save them. */
  fields(id: string): Promise<Readonly<Record<string, unknown>>> {
    return this.#page.evaluate(
      (wanted) => ({ ...RED.nodes.createCompleteNodeSet().find((node) => node.id === wanted) }),
      id,
    );
  }

  /** Presses the button of an inject node. */
  async press(id: string): Promise<void> {
    await this.#node(id).locator('.red-ui-flow-node-button-button').click();
  }

  async showTab(label: string): Promise<void> {
    await this.#page.locator('#red-ui-workspace-tabs .red-ui-tab', { hasText: label }).click();
  }

  // Dialogs

  /** Opens the dialog of a node by a double click. */
  async edit(id: string): Promise<Locator> {
    await this.#node(id).locator('.red-ui-flow-node').dblclick();
    return this.#tray();
  }

  /** From a node's dialog into that of a new configuration node. */
  async addConfig(field: string): Promise<Locator> {
    await this.#page.locator(`#node-input-btn-${field}-add`).click();
    await this.#page.locator('#node-config-dialog-ok').waitFor();
    return this.#tray();
  }

  async confirmConfig(): Promise<void> {
    const ok = this.#page.locator('#node-config-dialog-ok');
    await ok.click();
    await ok.waitFor({ state: 'detached' });
  }

  async confirm(): Promise<void> {
    const ok = this.#page.locator('#node-dialog-ok');
    await ok.click();
    await ok.waitFor({ state: 'detached' });
  }

  /** A row of the list that a field with suggestions opens. */
  async choose(input: Locator, text: string): Promise<void> {
    await input.click();
    await input.press('ArrowDown');
    await this.suggestion(text).click();
  }

  suggestion(text: string): Locator {
    return this.#page.locator('.red-ui-autoComplete-container a', { hasText: text }).first();
  }

  /** The text input of a typedInput, which stands in for the field of the dialog. */
  typed(dialog: Locator, field: string): Locator {
    return dialog.locator(`#node-input-${field} + .red-ui-typedInput-container .red-ui-typedInput-input-wrap input`);
  }

  /** Chooses the type of a typedInput, and one of the values that this type offers. */
  async setTyped(dialog: Locator, field: string, type: string, option: string): Promise<void> {
    const container = dialog.locator(`#node-input-${field} + .red-ui-typedInput-container`);
    await container.locator('.red-ui-typedInput-type-select').click();
    await this.#page.locator(`.red-ui-typedInput-options:visible a[value='${type}']`).click();
    await container.locator('.red-ui-typedInput-option-trigger').click();
    await this.#page.locator('.red-ui-typedInput-options:visible a', { hasText: option }).click();
  }

  // Header

  async deploy(): Promise<void> {
    const button = this.#page.locator('#red-ui-header-button-deploy');
    await this.#page.waitForFunction(
      () => document.querySelector('#red-ui-header-button-deploy')?.classList.contains('disabled') === false,
    );
    const saved = this.#page.waitForResponse(
      (response) => response.url().endsWith('/flows') && response.request().method() === 'POST',
    );
    await button.click();
    const response = await saved;
    if (!response.ok()) throw new Error(`deploy: ${response.status()}`);
    await this.#page.waitForFunction(
      () => document.querySelector('#red-ui-header-button-deploy')?.classList.contains('disabled') === true,
    );
  }

  /** Imports an example of a package, by the labels that lead to it. Resolves with the ids of what is new. */
  async importExample(...labels: readonly string[]): Promise<string[]> {
    const before = new Set(await this.#ids());
    await this.#page.evaluate(() => RED.actions.invoke('core:show-import-dialog'));
    const dialog = this.#page.locator('#red-ui-clipboard-dialog');
    await dialog.locator('a', { hasText: 'Examples' }).click();
    for (const label of labels) await dialog.locator('.red-ui-treeList-label', { hasText: label }).first().click();
    await this.#page.locator('#red-ui-clipboard-dialog-ok').click();
    await this.#page.waitForFunction((count) => RED.nodes.createCompleteNodeSet().length > count, before.size);
    return (await this.#ids()).filter((id) => !before.has(id));
  }

  // Sidebar

  async showSidebar(id: string): Promise<void> {
    await this.#page.evaluate((tab) => RED.sidebar.show(tab), id);
  }

  /** A message of the debug sidebar with this text. */
  debugMessage(text: string | RegExp): Locator {
    return this.#page.locator('.red-ui-debug-msg', { hasText: text }).first();
  }

  /** A line of our sidebar. */
  overlayRow(text: string | RegExp): Locator {
    return this.#page.locator('.pipevine-sidebar .pipevine-row', { hasText: text }).first();
  }

  /** Drags a line of our sidebar to the canvas. Resolves with the id of the node that it makes. */
  dragRow(text: string | RegExp, x: number, y: number): Promise<string> {
    return this.#drop(this.overlayRow(text), x, y);
  }

  async select(id: string): Promise<void> {
    await this.#node(id).locator('.red-ui-flow-node').click();
  }

  /** The help of the selected node, where it has this word. */
  help(word: string): Locator {
    return this.#page.locator('.red-ui-help', { hasText: word }).filter({ visible: true }).first();
  }

  /** How light the text of an element and what is behind it are, from 0 to 1. */
  colours(selector: string): Promise<{ readonly text: number; readonly ground: number }> {
    return this.#page.locator(selector).evaluate((element) => {
      const light = (colour: string) => {
        const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
        return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
      };
      let ground: Element | null = element;
      const isClear = (of: Element) => /, 0\)$|transparent/.test(getComputedStyle(of).backgroundColor);
      while (ground.parentElement !== null && isClear(ground)) ground = ground.parentElement;
      return { text: light(getComputedStyle(element).color), ground: light(getComputedStyle(ground).backgroundColor) };
    });
  }

  /** A picture, 1440 by 900, of what is seen now. */
  async screenshot(file: string): Promise<void> {
    mkdirSync(dirname(file), { recursive: true });
    // What the pointer is over looks different.
    await this.#page.mouse.move(700, 5);
    const style = '#red-ui-notifications { display: none }';
    await this.#page.screenshot({ path: file, animations: 'disabled', style });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end();
  }

  #node(id: string): Locator {
    return this.#page.locator(`g.red-ui-flow-node-group[id='${id}']`);
  }

  #tray(): Locator {
    return this.#page.locator('.red-ui-tray').last();
  }

  #ids(): Promise<string[]> {
    return this.#page.evaluate(() => RED.nodes.createCompleteNodeSet().map(({ id }) => id));
  }

  async #drop(source: Locator, x: number, y: number): Promise<string> {
    const before = new Set(await this.#ids());
    await this.#page.locator('#red-ui-workspace-chart').evaluate((chart) => chart.scrollTo(0, 0));
    await source.scrollIntoViewIfNeeded();
    // Hovering waits until it stands still.
    await source.hover();
    const chart = await this.#page.locator('#red-ui-workspace-chart').boundingBox();
    if (chart === null) throw new Error('no canvas');
    await this.#dragPointer(await middle(source), { x: chart.x + x, y: chart.y + y });
    await this.#page.waitForFunction((count) => RED.nodes.createCompleteNodeSet().length > count, before.size);
    const made = (await this.#ids()).find((id) => !before.has(id));
    if (made === undefined) throw new Error('nothing was dropped');
    return made;
  }

  async #dragPointer(from: Point, to: Point): Promise<void> {
    const { mouse } = this.#page;
    await mouse.move(from.x, from.y);
    await mouse.down();
    await mouse.move(from.x + 20, from.y - 10, { steps: 4 });
    await mouse.move(to.x, to.y, { steps: 12 });
    await mouse.up();
  }
}

interface Point {
  readonly x: number;
  readonly y: number;
}

async function middle(of: Locator): Promise<Point> {
  const box = await of.boundingBox();
  if (box === null) throw new Error(`not in sight: ${of}`);
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}
