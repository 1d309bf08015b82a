@static
Feature: Nothing gets to production untested, unscanned, undrilled or unapproved
  What keeps a bad release back is only as good as the pipeline that asks it. The pipeline's files are held against every
  pipeline that GitLab may make of them: on a push, a tag, a schedule or somebody's click, whatever variables are set.

  Background:
    Given the files of the platform's pipeline

  @DEP-1.1 @DEP-1.2
  Scenario: Production waits for automated tests of several stages
    Then each way to production waits for tests of at least 2 stages

  @DEP-1.3 @ENV-2.4
  Scenario: Production waits for scans of code, secrets, dependencies, infrastructure and images
    Then each way to production waits for a scan of each kind that fails on a finding

  @DEP-1.5
  Scenario: Production waits for a drill that passed and for a person
    Then each way to production waits for a gate behind a drill, which blocks on FAIL and on INCONCLUSIVE
    And each way to production waits for a person, who is asked after the gate

  @DEP-1.1 @ENV-2.4
  Scenario: Staging is verified every night
    Then each schedule drills, fails on FAIL, warns of INCONCLUSIVE, keeps the evidence and puts back

