-- SPDX-License-Identifier: MIT
-- A file of the stored form 1, as `sqlite3 FILE .dump` tells it, with its header. Never changed: it must load for ever.
PRAGMA application_id = 0x46414952;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('next_token',1790000000000005);
INSERT INTO meta VALUES('tries',3);
CREATE TABLE pools(name TEXT NOT NULL PRIMARY KEY, max_slots INTEGER NOT NULL, min_share INTEGER NOT NULL, max_waiting INTEGER NOT NULL, tenant_max_waiting INTEGER NOT NULL, share_calculator TEXT NOT NULL, configured INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO pools VALUES('default',10,1,10000,1000,'max_slots // num_demanding_tenants + 1',1);
INSERT INTO pools VALUES('old',2,1,100,10,'',0);
CREATE TABLE tenants(pool TEXT NOT NULL, tenant TEXT NOT NULL, number INTEGER NOT NULL, closing INTEGER NOT NULL, automatic INTEGER NOT NULL, anonymous INTEGER NOT NULL, revoke_below INTEGER NOT NULL, instances TEXT NOT NULL, PRIMARY KEY(pool, tenant)) STRICT, WITHOUT ROWID;
INSERT INTO tenants VALUES('default','alice',1,0,0,1,0,'web-1 web-2');
INSERT INTO tenants VALUES('old','bob',3,1,0,0,9,'');
CREATE TABLE leases(number INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, pool TEXT NOT NULL, tenant TEXT NOT NULL, label TEXT NOT NULL, key BLOB, state TEXT NOT NULL, reason TEXT NOT NULL, slots INTEGER NOT NULL, slot_ids TEXT NOT NULL, fencing_token INTEGER NOT NULL, ttl_ns INTEGER NOT NULL, asked_ttl_ns INTEGER NOT NULL, arrived_ns INTEGER NOT NULL, granted_ns INTEGER NOT NULL, ended_ns INTEGER NOT NULL) STRICT;
INSERT INTO leases VALUES(1,X'300102030405060708090a0b0c0d0e0f','default','carol','x',X'6b33','ended','expired',1,'4',1790000000000000,1000000000,1000000000,1789999999000000000,1789999999000000000,1790000000000000000);
INSERT INTO leases VALUES(2,X'000102030405060708090a0b0c0d0e0f','default','alice','Zoë',X'006b6579ff','active','none',1,'3',1790000000000001,30000000000,60000000000,1790000000000000001,1790000000000000002,0);
INSERT INTO leases VALUES(4,X'100102030405060708090a0b0c0d0e0f','old','bob','',NULL,'active','none',1,'0',1790000000000004,1000000000,1000000000,1790000000000000003,1790000000000000003,0);
INSERT INTO leases VALUES(5,X'200102030405060708090a0b0c0d0e0f','default','alice','',X'6b32','pending','none',1,'',0,30000000000,30000000000,1790000000000000005,0,0);
CREATE VIEW holding AS SELECT pool, tenant, slot_ids, label, datetime(granted_ns / 1000000000, 'unixepoch') AS since, ttl_ns / 1e9 AS ttl_seconds, fencing_token FROM leases WHERE state = 'active' ORDER BY pool, tenant, number;
CREATE VIEW waiting AS SELECT pool, tenant, label, datetime(arrived_ns / 1000000000, 'unixepoch') AS since FROM leases WHERE state = 'pending' ORDER BY pool, number;
COMMIT;
