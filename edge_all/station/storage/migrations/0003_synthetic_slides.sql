-- Slides that edge-all drew itself, of the demonstration: every page and report of one says so, also when its name and
-- its folder are forgotten. Those of earlier stations are known by the folder that they were rendered into.

ALTER TABLE slides ADD COLUMN synthetic INTEGER NOT NULL DEFAULT 0;
UPDATE slides SET synthetic = 1 WHERE source LIKE '%/demo-images' OR source LIKE '%\demo-images';
