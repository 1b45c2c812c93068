-- Rows that say nothing of their time, of sources that a query joins by time which starts when all is there.
CREATE STREAM orders (id INT KEY, customer INT) WITH (kafka_topic='orders', value_format='JSON', partitions=1);
CREATE TABLE customers (id INT PRIMARY KEY, name STRING) WITH (kafka_topic='customers', value_format='JSON', partitions=1);
INSERT INTO customers VALUES (1, 'ann');
INSERT INTO orders VALUES (10, 1);
INSERT INTO customers VALUES (1, 'anna');
INSERT INTO orders VALUES (11, 1);
INSERT INTO customers VALUES (1, 'anne');
INSERT INTO orders VALUES (12, 1);
SELECT o.id, name FROM orders o JOIN customers c ON o.customer = c.id EMIT CHANGES;
CREATE STREAM named AS SELECT customer, o.id AS id, name FROM orders o LEFT JOIN customers c ON o.customer = c.id;
SELECT * FROM named EMIT CHANGES;
