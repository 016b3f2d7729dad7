-- Not unique_key='carrier_month_id': a carrier that is gone from a month that
-- was loaded again would stay. The whole month is replaced.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='flight_month'
    )
}}

with

flights as (

    select * from {{ ref('stg_flights') }}

),

one_month as (

    select * from flights

    where flight_month = {{ month_to_build('flights') }}

),

counted as (

    select

        concat_ws('-', to_char(flight_month, 'YYYY-MM'), carrier_code)
            as carrier_month_id,
        flight_month,
        carrier_code,

        count(*) as count_flights,
        count(*) filter (where is_cancelled) as count_cancelled_flights,
        count(*) filter (where is_diverted) as count_diverted_flights,
        count(*) filter (where is_late) as count_late_flights,

        sum(distance_miles) filter (where not is_cancelled)
            as total_distance_miles,
        round(avg(arrival_delay_minutes), 1) as average_arrival_delay_minutes

    from one_month

    group by flight_month, carrier_code

)

select * from counted
