@nightly @ENV-2.5 @DEP-3.1 @DEP-3.2 @DEP-3.5
Feature: The database is migrated while people use the platform
  A release brings its schema while the release before it serves, and may have to give it up again. Neither release may
  notice: not their users, who wait for no lock, nor what they have stored.

  Scenario: A migration goes up, down and up again while both releases serve
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And its table has at least 2000000 rows, and its schema is that of release 1.0.0
    And analysts and collectors are on the platform, metered on new and on reused connections
    When release 1.1.0 serves beside it, and its migration goes up, down, and up again behind a transaction of 5 s
    Then each way led where it was to on at least 2000000 rows, and left no invalid index
    And the rows are what they were after each way
    And the migration was seen to queue behind the long transaction
    And no request waited behind the migration for longer than 0.3 s
    And every answer came within 1 s of when its request was due
    And what each release acknowledged is there for the other, once and unchanged
    And no request failed, was answered wrongly or went unsent
    And every acknowledged event is there, once and unchanged

  Scenario: A back-fill that is killed goes on where it was, and a step that ends the older release waits for it to go
    Given release 1.0.0 is live and healthy, and the other slot is empty
    And its table has at least 200000 rows, and its schema is that of release 1.0.0
    And analysts and collectors are on the platform, metered on new and on reused connections
    When its back-fill is killed after 20000 rows, a contract step is tried, and the back-fill goes on
    Then the back-fill went over each of at least 200000 rows, and over none again
    And the contract step was refused while release 1.0.0 served
    And every answer came within 1 s of when its request was due
    And what each release acknowledged is there for the other, once and unchanged
    And no request failed, was answered wrongly or went unsent
