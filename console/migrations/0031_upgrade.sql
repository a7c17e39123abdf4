-- An application on its way to a higher version of its template: what it was and what it is to be, until the upgrade ends.
-- `version`, `manifest` and `answers_json` of the row are what the chain has; they change once the chain has taken the upgrade.
alter table application add column upgrade_json text;
