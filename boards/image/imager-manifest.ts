import { pathToFileURL } from 'node:url';
import type { BoardProfile } from '../profiles/board-profile.ts';
import type { InitFormat } from './settings/host-settings.ts';

export interface ImagerManifestInit {
  readonly board: BoardProfile;
  readonly version: string;
  /** Absolute path of the image. */
  readonly file: string;
  readonly imageBytes: number;
  readonly imageSha256: string;
  readonly packedBytes: number;
  readonly packedSha256: string;
  readonly format: InitFormat;
  readonly date: Date;
}

/** The tags that Raspberry Pi Imager has for boards. The Zero 2 W has those of the 3. */
const TAGS: Readonly<Record<string, readonly string[]>> = {
  'rpi-zero-2w': ['pi3-64bit'],
  'rpi-3': ['pi3-64bit'],
  'rpi-4': ['pi4-64bit'],
  'rpi-5': ['pi5-64bit'],
  'rpi-32bit': ['pi2-32bit', 'pi3-32bit', 'pi4-32bit', 'pi5-32bit'],
};

/**
 * What Raspberry Pi Imager 2 reads as a `.rpi-imager-manifest`: its list of systems, with this image only, and the hash that it
 * checks the card against. imager-manifest.schema.json describes it. Undefined for boards that Imager does not know.
 */
export function imagerManifest(init: ImagerManifestInit): string | undefined {
  const { board, version, file, imageBytes, imageSha256, packedBytes, packedSha256, format, date } = init;
  const tags = TAGS[board.name];
  if (tags === undefined) return undefined;
  const device = {
    name: board.title,
    description: board.title,
    icon: '',
    tags,
    default: true,
    matching_type: 'inclusive',
    capabilities: [],
  };
  const system = {
    name: `Pipevine ${version} for ${board.title}`,
    description: 'A Raspberry Pi OS or Debian image with Pipevine in it',
    icon: '',
    url: pathToFileURL(file).href,
    release_date: date.toISOString().slice(0, 10),
    extract_size: imageBytes,
    extract_sha256: imageSha256,
    image_download_size: packedBytes,
    image_download_sha256: packedSha256,
    devices: tags,
    init_format: format,
  };
  return `${JSON.stringify({ imager: { devices: [device] }, os_list: [system] }, null, 2)}\n`;
}
