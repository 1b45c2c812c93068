// The SQL dialect, one imported file per statement family. Rules that start with `one` or end a text
// with EOF are the entry points of parser/syntax.
parser grammar MillraceParser;
options { tokenVocab = MillraceLexer; }
import Definition, Manipulation, Query, Inspection, Control, Assertion, Expression, DataType, Name;

script: (statement ';')* EOF;
testScript: (testStatement ';')* EOF;
oneStatement: statement ';'? EOF;
oneTestStatement: testStatement ';'? EOF;
oneExpression: expression EOF;
oneDataType: dataType EOF;
oneColumnList: columnDefinition (',' columnDefinition)* EOF;

statement
    : query
    | createSource
    | createView
    | createIndex
    | createFunction
    | createType
    | createConnector
    | alterSource
    | dropSource
    | dropView
    | dropIndex
    | dropFunction
    | dropType
    | dropConnector
    | insert
    | insertBranches
    | upsert
    | update
    | deleteRows
    | print
    | show
    | describe
    | explain
    | controlQuery
    | setProperty
    | unsetProperty
    | alterSystem
    | defineVariable
    | undefineVariable
    | assertTopic
    | assertSchema
    ;

// What `millrace test` understands on top of that.
testStatement
    : statement
    | assertValues
    | assertTombstone
    | assertSource
    | runScript
    ;
