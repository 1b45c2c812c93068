// ASSERT, for servers and for test scripts.
parser grammar Assertion;

assertTopic: 'ASSERT' notExists? 'TOPIC' topicName withClause? timeout?;
assertSchema: 'ASSERT' notExists? 'SCHEMA' ('SUBJECT' topicName)? ('ID' INTEGER_VALUE)? timeout?;
notExists: 'NOT' 'EXISTS';
timeout: 'TIMEOUT' duration;

assertValues: 'ASSERT' 'VALUES' name nameList? 'VALUES' valueList;
assertTombstone: 'ASSERT' 'NULL' 'VALUES' name nameList? 'KEY' valueList;
assertSource: 'ASSERT' sourceKind name columnList? withClause?;
runScript: 'RUN' 'SCRIPT' STRING;
