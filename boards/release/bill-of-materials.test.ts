import { expect, it } from 'vitest';
import { billOfMaterials, licenseList } from './bill-of-materials.ts';
import type { BundledPackage } from './bundled-package.ts';

const PACKAGES: readonly BundledPackage[] = [
  { name: '@pipevine/runtime', version: '0.1.0', license: 'Apache-2.0', licenseText: '', isOwn: true },
  { name: 'both', version: '2.0.0', license: '(MIT OR ISC)', licenseText: 'Copyright somebody', isOwn: false },
];
const init = { name: 'pipevine', version: '0.1.0', packages: PACKAGES, nodeVersion: '24.21.0' };

it('names each package once, with purl and licence, and says that the program depends on all', () => {
  const bom = JSON.parse(billOfMaterials(init));
  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 });
  expect(bom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(bom.components.map(({ purl, licenses }: { purl: string; licenses: unknown }) => [purl, licenses])).toEqual([
    ['pkg:npm/%40pipevine/runtime@0.1.0', [{ license: { id: 'Apache-2.0' } }]],
    ['pkg:npm/both@2.0.0', [{ expression: 'MIT OR ISC' }]],
    ['pkg:generic/node@24.21.0', [{ license: { id: 'MIT' } }]],
  ]);
  expect(bom.dependencies[0].dependsOn).toHaveLength(3);
});

it('is the same text for the same parts, and bears another number for others', () => {
  expect(billOfMaterials(init)).toBe(billOfMaterials(init));
  const other = billOfMaterials({ ...init, nodeVersion: '24.22.0' });
  expect(JSON.parse(other).serialNumber).not.toBe(JSON.parse(billOfMaterials(init)).serialNumber);
});

it('lists the licences with their texts', () => {
  const list = licenseList(PACKAGES, { version: '24.21.0', license: 'Node is licensed' });
  expect(list).toContain('both 2.0.0: (MIT OR ISC)\n\nCopyright somebody');
  expect(list).toContain('Node is licensed');
});
