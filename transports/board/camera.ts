import { PipevineError } from '@pipevine/runtime';
import type { CameraConfig } from './board-config.ts';
import type { BoardPart } from './board-part.ts';
import type { BoardPlatform } from './board-platform.ts';
import { SharedReading } from './shared-reading.ts';

/** An invocation has 10 s in all. */
const SNAPSHOT_TIMEOUT_MS = 9_000;
/** In base64 a third more, which must fit into one value of a thing. */
export const MAX_SNAPSHOT_BYTES = 190 * 1024;

/** The action `snapshot`: one JPEG, in base64. Several who ask at once get the same picture. */
export function camera(platform: BoardPlatform, config: CameraConfig): BoardPart {
  const picture = new SharedReading(platform.clock, 0, () => takePicture(platform, config));
  return {
    actions: [
      {
        name: 'snapshot',
        affordance: {
          title: 'Take a picture',
          safe: true,
          output: { type: 'string', contentEncoding: 'base64', contentMediaType: 'image/jpeg' },
        },
        guarded: false,
        invoke: async () => Buffer.from(await picture.get()).toString('base64'),
      },
    ],
  };
}

function commandsFor({ widthPixels, heightPixels, quality }: CameraConfig): readonly (readonly string[])[] {
  const still = [
    '-n',
    '-t',
    '1000',
    '--width',
    `${widthPixels}`,
    '--height',
    `${heightPixels}`,
    '-q',
    `${quality}`,
    '-o',
    '-',
  ];
  return [
    ['rpicam-still', ...still],
    ['libcamera-still', ...still],
    ['fswebcam', '-q', '--no-banner', '-r', `${widthPixels}x${heightPixels}`, '--jpeg', `${quality}`, '-'],
  ];
}

async function takePicture({ commands }: BoardPlatform, config: CameraConfig): Promise<Uint8Array> {
  const candidates = config.command === undefined ? commandsFor(config) : [config.command];
  for (const command of candidates) {
    try {
      const bytes = await commands.run(command, { timeoutMs: SNAPSHOT_TIMEOUT_MS, maxBytes: MAX_SNAPSHOT_BYTES });
      if (bytes[0] === 0xff && bytes[1] === 0xd8) return bytes;
      throw new PipevineError(
        'unreachable',
        `${command[0]} gave no JPEG on its standard output but ${bytes.length} bytes`,
      );
    } catch (error) {
      if (!(error instanceof PipevineError)) throw error;
      if (error.code === 'too-large') {
        throw new PipevineError(
          'too-large',
          `the picture has more than ${MAX_SNAPSHOT_BYTES} bytes; lower width, height or quality of the camera`,
        );
      }
      if (error.code !== 'unsupported' || config.command !== undefined) throw error;
    }
  }
  const names = candidates.map(([name]) => name).join(', ');
  throw new PipevineError('unsupported', `none of ${names} is installed; install one, or set "command" of the camera`);
}
