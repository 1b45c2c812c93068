INSERT INTO users (ROWTIME, id, name) VALUES (1000, 'ann', 'Ann A.');
INSERT INTO users (ROWTIME, id, name) VALUES (1000, 'bob', 'Bob B.');
INSERT INTO clicks (ROWTIME, user, url, ms, price) VALUES (2000, 'ann', '/', 120, 1.50);
INSERT INTO clicks (ROWTIME, user, url, ms, price) VALUES (3000, 'ann', '/cart', 3500, 2.25);
INSERT INTO clicks (ROWTIME, user, url, ms) VALUES (4000, 'bob', '/', 10);
INSERT INTO clicks (ROWTIME, user, url, ms, price) VALUES (70000, 'ann', '/', 200, 0.25);
